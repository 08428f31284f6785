import type { Lot } from '../../domain/records';
import { regression } from '../../domain/tally';
import { decimal, score } from '../../format';
import { useTexts } from '../../i18n';
import { gradeClass } from '../../components/GradeBadge';

const WIDTH = 640;
const HEIGHT = 300;
const LEFT = 44;
const BOTTOM = 34;
const PAD = 14;
/** Room beyond the outermost ITM, in its own unit. */
const MARGIN = 0.3;

/** ITM across, mean score up, and the line of regression where there are lots enough. */
export function Scatter({ lots }: { readonly lots: readonly Lot[] }) {
  const { t, language } = useTexts();
  const points = lots.flatMap((lot) => (lot.itm === null ? [] : [{ lot, itm: lot.itm, value: lot.averageScore * 100 }]));
  if (points.length === 0) return <p className="empty">{t.query.empty}</p>;
  const itms = points.map(({ itm }) => itm);
  const [low, high] = [Math.min(...itms) - MARGIN, Math.max(...itms) + MARGIN];
  const x = (itm: number) => LEFT + ((itm - low) / (high - low)) * (WIDTH - LEFT - PAD);
  const y = (value: number) => HEIGHT - BOTTOM - (value / 100) * (HEIGHT - BOTTOM - PAD);
  const line = regression(points.map(({ itm, value }) => [itm, value] as const));
  const at = (itm: number) => (line === null ? 0 : y(Math.min(100, Math.max(0, line.intercept + line.slope * itm))));
  return (
    <figure className="scatter">
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={t.lots.scatterLabel(points.length)}>
        {[0, 25, 50, 75, 100].map((value) => (
          <g key={value}>
            <line className="scatter-grid" x1={LEFT} x2={WIDTH - PAD} y1={y(value)} y2={y(value)} />
            <text x={LEFT - 8} y={y(value) + 4} textAnchor="end">
              {value}
            </text>
          </g>
        ))}
        {[Math.min(...itms), Math.max(...itms)].map((itm, side) => (
          <text key={side} x={x(itm)} y={HEIGHT - 12} textAnchor="middle">
            {decimal(itm, language, 2)}
          </text>
        ))}
        <text x={(LEFT + WIDTH) / 2} y={HEIGHT - 12} textAnchor="middle">
          {t.lots.itm}
        </text>
        <text x={0} y={10}>
          {t.sites.score}
        </text>
        {line !== null && <line className="scatter-line" x1={x(low)} x2={x(high)} y1={at(low)} y2={at(high)} />}
        {points.map(({ lot, itm, value }) => (
          <circle key={lot.id} className={`scatter-dot ${gradeClass(lot.majority)}`} cx={x(itm)} cy={y(value)} r={7}>
            <title>{`${lot.code ?? t.lots.unnamed(lot.id)} · ITM ${decimal(itm, language, 2)} · ${score(lot.averageScore, language)} / 100`}</title>
          </circle>
        ))}
      </svg>
      <figcaption>
        {line === null ? t.lots.tooFew : t.lots.regression(decimal(line.slope, language, 1), decimal(line.r2, language, 2))}
      </figcaption>
    </figure>
  );
}
