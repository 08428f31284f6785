/** Small pictures of numbers that several pages share: a moment, a share of grades, a trend. */
import { GRADES } from '../domain/types';
import type { GradeCounts } from '../domain/records';
import type { TrendPoint } from '../domain/tally';
import { decimal, momentOf, percent, score, utc } from '../format';
import { useTexts } from '../i18n';
import { gradeClass } from './GradeBadge';
import { useMinute } from './useNow';

/** A time at the site; UTC on hover. */
export function Moment({ ms }: { readonly ms: number }) {
  const { language } = useTexts();
  const nowMs = useMinute();
  return (
    <time dateTime={new Date(ms).toISOString()} title={utc(ms)}>
      {momentOf(ms, nowMs, language)}
    </time>
  );
}

/** Grades of a period as one bar, with the counts in words beneath. */
export function GradeShares({ grades }: { readonly grades: GradeCounts }) {
  const { t, language } = useTexts();
  const total = GRADES.reduce((sum, grade) => sum + grades[grade], 0);
  if (total === 0) return <p className="quiet">{t.query.empty}</p>;
  const share = (count: number) => percent((100 * count) / total, language);
  return (
    <div className="shares">
      <div className="shares-bar" aria-hidden="true">
        {GRADES.filter((grade) => grades[grade] > 0).map((grade) => (
          <span key={grade} className={gradeClass(grade)} style={{ flexGrow: grades[grade] }} />
        ))}
      </div>
      <ul className="shares-words">
        {GRADES.map((grade) => (
          <li key={grade}>
            <span className={`swatch ${gradeClass(grade)}`} aria-hidden="true" />
            {t.grades[grade]} <strong>{share(grades[grade])}</strong> <span className="quiet">({decimal(grades[grade], language)})</span>
          </li>
        ))}
      </ul>
    </div>
  );
}

const WIDTH = 300;
const HEIGHT = 60;
const PAD = 3;

/** Where the points of a trend lie; a gap in the hours is a gap in the line. */
export function trendPath(points: readonly TrendPoint[], gapMs: number): string {
  const first = points[0]?.atMs ?? 0;
  const span = Math.max(1, (points.at(-1)?.atMs ?? 0) - first);
  let before: number | null = null;
  return points
    .flatMap(({ atMs, value }) => {
      if (value === null) return [];
      const isJoined = before !== null && atMs - before <= gapMs;
      before = atMs;
      const x = PAD + ((atMs - first) / span) * (WIDTH - 2 * PAD);
      const y = HEIGHT - PAD - value * (HEIGHT - 2 * PAD);
      return [`${isJoined ? 'L' : 'M'}${x.toFixed(1)} ${y.toFixed(1)}${isJoined ? '' : 'h0.01'}`];
    })
    .join('');
}

const HOUR_MS = 3_600_000;

/** Scores by hour on the scale from 0 to 100. */
export function Trend({ points }: { readonly points: readonly TrendPoint[] }) {
  const { t, language } = useTexts();
  const values = points.flatMap(({ value }) => value ?? []);
  if (values.length === 0) return <p className="quiet">{t.query.empty}</p>;
  const label = t.sites.trendLabel(score(Math.min(...values), language), score(Math.max(...values), language));
  return (
    <div className="trend">
      <span className="axis-top" aria-hidden="true">
        100
      </span>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={label}>
        <path className="trend-grid" d={`M0 ${HEIGHT / 2}H${WIDTH}M0 ${PAD}H${WIDTH}M0 ${HEIGHT - PAD}H${WIDTH}`} />
        <path className="trend-line" d={trendPath(points, HOUR_MS)} />
      </svg>
      <span className="axis-top" aria-hidden="true">
        0
      </span>
    </div>
  );
}
