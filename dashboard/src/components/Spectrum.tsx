import { memo } from 'react';
import { CHANNELS, type Channel, type SpectralReading } from '../domain/types';
import { decimal } from '../format';
import { useTexts } from '../i18n';
import { niceCeiling } from './scale';

const NARROW = CHANNELS.slice(0, 8);
const WIDE: readonly Channel[] = ['Clear', 'NIR'];

/** Centre wavelength in nm of a narrow channel: `F1_415nm` is 415. */
const wavelengthNm = (channel: Channel): string => /_(\d+)nm$/.exec(channel)?.[1] ?? channel;

interface BarsProps {
  readonly channels: readonly Channel[];
  readonly counts: SpectralReading['counts'];
  readonly top: number;
  readonly labelOf: (channel: Channel) => string;
}

function Bars({ channels, counts, top, labelOf }: BarsProps) {
  const { t, language } = useTexts();
  return (
    <div className="bars">
      {channels.map((channel) => (
        <div key={channel} className="bar" title={`${labelOf(channel)}${t.colon}${decimal(counts[channel], language)} ${t.spectrum.unit}`}>
          <div className="bar-track">
            <div className={`bar-fill channel-${channel.split('_')[0] ?? ''}`} style={{ height: `${(counts[channel] / top) * 100}%` }} />
          </div>
          <span className="bar-label">{labelOf(channel)}</span>
        </div>
      ))}
    </div>
  );
}

/** Raw counts of the ten channels; Clear and NIR see a wide band and get a scale of their own. */
export const Spectrum = memo(function Spectrum({ spectral }: { readonly spectral: SpectralReading }) {
  const { t, language } = useTexts();
  const { counts } = spectral;
  const peak = NARROW.reduce((best, channel) => (counts[channel] > counts[best] ? channel : best));
  const narrowTop = niceCeiling(counts[peak]);
  const wideTop = niceCeiling(Math.max(...WIDE.map((channel) => counts[channel])));
  const wideLabel = (channel: Channel) => (channel === 'Clear' ? t.spectrum.clear : t.spectrum.nir);
  return (
    <figure className="spectrum">
      <figcaption>
        {t.spectrum.title} <span className="quiet">({t.spectrum.unit}, nm)</span>
      </figcaption>
      <div className="spectrum-plot" role="img" aria-label={t.spectrum.summary(decimal(counts[peak], language), wavelengthNm(peak))}>
        <span className="axis-top">{decimal(narrowTop, language)}</span>
        <Bars channels={NARROW} counts={counts} top={narrowTop} labelOf={wavelengthNm} />
        <span className="axis-top axis-wide">{decimal(wideTop, language)}</span>
        <Bars channels={WIDE} counts={counts} top={wideTop} labelOf={wideLabel} />
      </div>
    </figure>
  );
});
