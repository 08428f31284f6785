import { memo } from 'react';
import type { Recipe } from '../data/science';
import { CHANNELS, type Channel, type SpectralReading } from '../domain/types';
import { decimal } from '../format';
import { useTexts } from '../i18n';
import { niceCeiling } from './scale';

const NARROW = CHANNELS.slice(0, 8);
const WIDE: readonly Channel[] = ['Clear', 'NIR'];
const PERCENT = 100;

/** Centre wavelength in nm of a narrow channel: `F1_415nm` is 415. */
const wavelengthNm = (channel: Channel): string => /_(\d+)nm$/.exec(channel)?.[1] ?? channel;

/** Between which reflectances, in percent, good pieces of a recipe lie. */
export interface Band {
  readonly lowPct: number;
  readonly highPct: number;
}

export function bandOf({ reference, tolerance }: Pick<Recipe, 'reference' | 'tolerance'>): readonly Band[] {
  const spread = 10 ** tolerance;
  return reference.map((middle) => ({ lowPct: (PERCENT * middle) / spread, highPct: PERCENT * middle * spread }));
}

interface BarsProps {
  readonly channels: readonly Channel[];
  readonly values: readonly number[];
  readonly top: number;
  readonly labelOf: (channel: Channel) => string;
  readonly titleOf: (channel: Channel, at: number) => string;
  readonly bands?: readonly Band[];
}

function Bars({ channels, values, top, labelOf, titleOf, bands = [] }: BarsProps) {
  return (
    <div className="bars">
      {channels.map((channel, at) => {
        const band = bands[at];
        return (
          <div key={channel} className="bar" title={titleOf(channel, at)}>
            <div className="bar-track">
              <div className={`bar-fill channel-${channel.split('_')[0] ?? ''}`} style={{ height: `${((values[at] ?? 0) / top) * 100}%` }} />
              {band !== undefined && (
                <div
                  className="bar-band"
                  style={{ bottom: `${(band.lowPct / top) * 100}%`, height: `${((Math.min(band.highPct, top) - band.lowPct) / top) * 100}%` }}
                />
              )}
            </div>
            <span className="bar-label">{labelOf(channel)}</span>
          </div>
        );
      })}
    </div>
  );
}

interface SpectrumProps {
  readonly spectral: SpectralReading;
  readonly recipe?: Recipe | null;
}

/** Where the device told no reflectance: raw counts, and no band to hold them to. */
function useNarrow({ spectral, recipe = null }: SpectrumProps) {
  const { t, language } = useTexts();
  const { counts, reflectance } = spectral;
  const told = (channel: Channel) => `${decimal(counts[channel], language)} ${t.spectrum.unit}`;
  if (reflectance?.length !== NARROW.length) {
    const values = NARROW.map((channel) => counts[channel]);
    const title = (channel: Channel) => `${wavelengthNm(channel)} nm${t.colon}${told(channel)}`;
    return { values, title, top: niceCeiling(Math.max(...values)), bands: [], unit: t.spectrum.unit, note: null };
  }
  const bands = recipe === null ? [] : bandOf(recipe);
  const values = reflectance.map((value) => value * PERCENT);
  const title = (channel: Channel, at: number) => {
    const band = bands[at];
    const wanted = band === undefined ? '' : ` (${t.line.band(decimal(band.lowPct, language), decimal(band.highPct, language))})`;
    return `${wavelengthNm(channel)} nm${t.colon}${decimal(values[at] ?? 0, language, 1)} %${wanted} · ${told(channel)}`;
  };
  const outside = bands.filter(({ lowPct, highPct }, at) => (values[at] ?? 0) < lowPct || (values[at] ?? 0) > highPct).length;
  const note = bands.length === 0 ? null : outside === 0 ? t.line.inside : t.line.outside(outside);
  const top = niceCeiling(Math.max(...values, ...bands.map(({ highPct }) => highPct)));
  return { values, title, top, bands, unit: t.line.reflectanceUnit, note };
}

/** The ten channels: reflectance against the recipe's band; Clear and NIR see a wide band and get a scale of their own. */
export const Spectrum = memo(function Spectrum(props: SpectrumProps) {
  const { t, language } = useTexts();
  const { counts } = props.spectral;
  const { values, title, top, bands, unit, note } = useNarrow(props);
  const peak = NARROW.reduce((best, channel) => (counts[channel] > counts[best] ? channel : best));
  const wide = WIDE.map((channel) => counts[channel]);
  const wideTop = niceCeiling(Math.max(...wide));
  const wideLabel = (channel: Channel) => (channel === 'Clear' ? t.spectrum.clear : t.spectrum.nir);
  const label = [t.spectrum.summary(decimal(counts[peak], language), wavelengthNm(peak)), note].filter((part) => part !== null);
  return (
    <figure className="spectrum" data-testid="spectrum" data-bands={bands.length}>
      <figcaption>
        {bands.length === 0 ? t.spectrum.title : t.line.spectrumTitle} <span className="quiet">({unit}, nm)</span>
        {note !== null && <span className="spectrum-note"> · {note}</span>}
      </figcaption>
      <div className="spectrum-plot" role="img" aria-label={label.join(t.separator)}>
        <span className="axis-top">{decimal(top, language)}</span>
        <Bars channels={NARROW} values={values} top={top} bands={bands} labelOf={wavelengthNm} titleOf={title} />
        <span className="axis-top axis-wide">
          {decimal(wideTop, language)} {t.spectrum.unit}
        </span>
        <Bars
          channels={WIDE}
          values={wide}
          top={wideTop}
          labelOf={wideLabel}
          titleOf={(channel) => `${wideLabel(channel)}${t.colon}${decimal(counts[channel], language)} ${t.spectrum.unit}`}
        />
      </div>
    </figure>
  );
});
