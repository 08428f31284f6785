import { decimal } from '../format';
import type { HeatMap } from '../components/heat';
import { unitOf } from '../components/Heatmap';
import { useTexts } from '../i18n';
import { SIDE } from './relief';

const WIDTH = 320;
const HEIGHT = 110;
const LEFT = 34;
const BASE = 92;
const TOP = 8;

/** The heights along one row of zones; a zone without target interrupts the line. */
export function Section({ map, row }: { readonly map: HeatMap; readonly row: number }) {
  const { t, language } = useTexts();
  const values = map.zonesMm.slice(row * SIDE, (row + 1) * SIDE);
  const { lowMm, highMm } = map.scale;
  const x = (column: number) => LEFT + ((column + 0.5) / SIDE) * (WIDTH - LEFT);
  const y = (value: number) => {
    const share = (value - lowMm) / (highMm - lowMm);
    return BASE - (map.mode === 'distance' ? 1 - share : share) * (BASE - TOP);
  };
  const line = values
    .map((value, column) => {
      if (value === null) return '';
      const isJoined = column > 0 && values[column - 1] !== null && values[column - 1] !== undefined;
      return `${isJoined ? 'L' : 'M'}${x(column).toFixed(1)} ${y(value).toFixed(1)}`;
    })
    .join('');
  const title = t.inspect.section(row + 1);
  const words = values.map((value) => (value === null ? t.heatmap.noTarget : decimal(value, language))).join(', ');
  return (
    <figure className="section-plot">
      <figcaption>
        {title} <span className="quiet">({unitOf(map, t)})</span>
      </figcaption>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={`${title}${t.colon}${words} ${unitOf(map, t)}`}>
        <path className="trend-grid" d={`M${LEFT} ${BASE}H${WIDTH}M${LEFT} ${TOP}H${WIDTH}`} />
        <text x={LEFT - 6} y={TOP + 6} textAnchor="end">
          {decimal(map.mode === 'distance' ? lowMm : highMm, language)}
        </text>
        <text x={LEFT - 6} y={BASE + 2} textAnchor="end">
          {decimal(map.mode === 'distance' ? highMm : lowMm, language)}
        </text>
        <path className="section-line" d={line} />
        {values.map((value, column) => (
          <g key={column}>
            {value !== null && <circle className="section-dot" cx={x(column)} cy={y(value)} r={3} />}
            <text x={x(column)} y={HEIGHT - 4} textAnchor="middle">
              {column + 1}
            </text>
          </g>
        ))}
      </svg>
    </figure>
  );
}
