/** One piece in every detail that was measured: as it was seen, whatever the line does meanwhile. */
import { useState } from 'react';
import { Moment } from '../components/Figures';
import { ColourPatch } from '../components/ColourPatch';
import { heatMap, reflectanceMap } from '../components/heat';
import { anomalyWords, Heatmap } from '../components/Heatmap';
import { IndexList } from '../components/IndexList';
import { Segmented } from '../components/Segmented';
import { Spectrum } from '../components/Spectrum';
import { useRecipe } from '../components/useRecipe';
import { Reasons, Verdict } from '../components/Verdict';
import type { JoinedSample, TofReading } from '../domain/types';
import { decimal, NO_VALUE } from '../format';
import { useTexts } from '../i18n';
import { Link } from '../router/Link';
import { pathOf } from '../router/route';
import type { HistoryEntry } from '../stores/live';
import { Relief } from './Relief';
import { Section } from './Section';
import { SIDE } from './relief';

const MIDDLE = Math.floor(SIDE / 2) - 1;

type MapMode = 'height' | 'reflectance';

/** What does not belong on the surface, in words: kind, size, severity and place. */
function Anomalies({ tof }: { readonly tof: TofReading }) {
  const localised = useTexts();
  const { t, language } = localised;
  const signed = (mm: number) => `${mm > 0 ? '+' : ''}${decimal(mm, language)}`;
  return (
    <section aria-label={t.line.anomaliesTitle}>
      <h3>{t.line.anomaliesTitle}</h3>
      {tof.anomalies.length === 0 ? (
        <p className="quiet">{t.line.noAnomalies}</p>
      ) : (
        <ul className="record-list">
          {tof.anomalies.map((anomaly, at) => (
            <li key={at}>
              <strong>{anomalyWords({ anomaly }, localised)}</strong>
              <span>{t.line.place(signed(anomaly.alongMm), signed(anomaly.acrossMm))}</span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function Facts({ sample: { fusion, tof } }: { readonly sample: JoinedSample }) {
  const { t, language } = useTexts();
  const { lengthMm, widthMm, thicknessMm } = tof.extents;
  const extents = [lengthMm, widthMm, thicknessMm].map((mm) => (mm === null ? NO_VALUE : decimal(mm, language)));
  return (
    <dl className="facts">
      <dt>{t.inspect.device}</dt>
      <dd>{fusion.deviceId}</dd>
      <dt>{t.inspect.measuredAt}</dt>
      <dd>{fusion.measuredAtMs === null ? NO_VALUE : <Moment ms={fusion.measuredAtMs} />}</dd>
      <dt>{t.inspect.lot}</dt>
      <dd>{fusion.lotId === null ? NO_VALUE : <Link to={pathOf('lots', String(fusion.lotId))}>{fusion.lotId}</Link>}</dd>
      {lengthMm !== null && (
        <>
          <dt>{t.line.extents}</dt>
          <dd>{extents.join(' × ')} mm</dd>
        </>
      )}
      <dt>{t.inspect.recipe}</dt>
      <dd>{fusion.recipe ?? NO_VALUE}</dd>
      <dt>{t.inspect.id}</dt>
      <dd>{fusion.sampleId}</dd>
    </dl>
  );
}

interface PieceProps {
  readonly sample: JoinedSample;
  /** Measurements around it: they hold the scale steady, so that two pieces compare. */
  readonly recent: readonly HistoryEntry[];
}

export default function Piece({ sample, recent }: PieceProps) {
  const { t } = useTexts();
  const [row, setRow] = useState(MIDDLE);
  const { tof, spectral, fusion } = sample;
  const [mode, setMode] = useState<MapMode>('height');
  const recipe = useRecipe(fusion.recipe);
  const bright = mode === 'reflectance' ? reflectanceMap(tof) : null;
  const map = bright ?? heatMap(tof, recent);
  return (
    <article className="piece" data-testid="piece" data-sample={fusion.sampleId}>
      <Verdict testId={`piece-grade-${fusion.sampleId}`} fusion={fusion} />
      <Reasons fusion={fusion} shownMax={Infinity} />
      <div className="piece-pictures">
        <div>
          {tof.reflectancePct !== null && (
            <Segmented
              label={t.line.mapMode}
              value={mode}
              onChange={setMode}
              options={[
                { value: 'height', label: t.line.heightMode, testId: 'map-height' },
                { value: 'reflectance', label: t.line.reflectanceMode, testId: 'map-reflectance' },
              ]}
            />
          )}
          <Heatmap
            tof={tof}
            isReflectance={bright !== null}
            recent={recent}
            onZone={(zone) => {
              setRow(Math.floor(zone / SIDE));
            }}
          />
          <p className="quiet">{t.inspect.keyboardMap}</p>
        </div>
        <div>
          <Relief map={heatMap(tof, recent)} />
          <Section map={map} row={row} />
        </div>
      </div>
      <div className="piece-pictures">
        <IndexList tof={tof} spectral={spectral} />
        <div>
          <Spectrum spectral={spectral} recipe={recipe} />
          <ColourPatch spectral={spectral} />
        </div>
      </div>
      <Anomalies tof={tof} />
      <Facts sample={sample} />
    </article>
  );
}
