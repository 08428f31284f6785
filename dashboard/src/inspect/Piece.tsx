/** One piece in every detail that was measured: as it was seen, whatever the line does meanwhile. */
import { useState } from 'react';
import { Moment } from '../components/Figures';
import { heatMap } from '../components/heat';
import { Heatmap } from '../components/Heatmap';
import { IndexList } from '../components/IndexList';
import { Spectrum } from '../components/Spectrum';
import { Reasons, Verdict } from '../components/Verdict';
import type { JoinedSample } from '../domain/types';
import { NO_VALUE } from '../format';
import { useTexts } from '../i18n';
import { Link } from '../router/Link';
import { pathOf } from '../router/route';
import type { HistoryEntry } from '../stores/live';
import { Relief } from './Relief';
import { Section } from './Section';
import { SIDE } from './relief';

const MIDDLE = Math.floor(SIDE / 2) - 1;

function Facts({ sample: { fusion } }: { readonly sample: JoinedSample }) {
  const { t } = useTexts();
  return (
    <dl className="facts">
      <dt>{t.inspect.device}</dt>
      <dd>{fusion.deviceId}</dd>
      <dt>{t.inspect.measuredAt}</dt>
      <dd>{fusion.measuredAtMs === null ? NO_VALUE : <Moment ms={fusion.measuredAtMs} />}</dd>
      <dt>{t.inspect.lot}</dt>
      <dd>{fusion.lotId === null ? NO_VALUE : <Link to={pathOf('lots', String(fusion.lotId))}>{fusion.lotId}</Link>}</dd>
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
  const map = heatMap(tof, recent);
  return (
    <article className="piece" data-testid="piece" data-sample={fusion.sampleId}>
      <Verdict testId={`piece-grade-${fusion.sampleId}`} fusion={fusion} />
      <Reasons fusion={fusion} shownMax={Infinity} />
      <div className="piece-pictures">
        <div>
          <Heatmap
            tof={tof}
            recent={recent}
            onZone={(zone) => {
              setRow(Math.floor(zone / SIDE));
            }}
          />
          <p className="quiet">{t.inspect.keyboardMap}</p>
        </div>
        <div>
          <Relief map={map} />
          <Section map={map} row={row} />
        </div>
      </div>
      <div className="piece-pictures">
        <IndexList tof={tof} spectral={spectral} />
        <Spectrum spectral={spectral} />
      </div>
      <Facts sample={sample} />
    </article>
  );
}
