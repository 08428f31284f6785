/** Hours added up to devices, sites and periods: sums and counts are added, averages never averaged. */
import { GRADES, type Grade } from './types';
import type { GradeCounts, Hour } from './records';

export interface Tally {
  readonly samples: number;
  readonly compliant: number;
  readonly grades: GradeCounts;
  /** Averages over the samples, 0 to 1 and mm³; null where nothing told. */
  readonly averageScore: number | null;
  readonly freshness: number | null;
  readonly volumeMm3: number | null;
}

const NO_GRADES: GradeCounts = { 'A+': 0, A: 0, B: 0, C: 0, REJECT: 0 };

/** The mean of the hours' means, each weighed by its samples. */
function weighed(hours: readonly Hour[], of: (hour: Hour) => number | null): number | null {
  let sum = 0;
  let weight = 0;
  for (const hour of hours) {
    const value = of(hour);
    if (value === null) continue;
    sum += value * hour.samples;
    weight += hour.samples;
  }
  return weight === 0 ? null : sum / weight;
}

export function addGrades(all: readonly GradeCounts[]): GradeCounts {
  const sum = (grade: Grade) => all.reduce((total, counts) => total + counts[grade], 0);
  return all.length === 0 ? NO_GRADES : (Object.fromEntries(GRADES.map((grade) => [grade, sum(grade)])) as Record<Grade, number>);
}

export function tally(hours: readonly Hour[]): Tally {
  return {
    samples: hours.reduce((total, hour) => total + hour.samples, 0),
    compliant: hours.reduce((total, hour) => total + hour.compliant, 0),
    grades: addGrades(hours.map((hour) => hour.grades)),
    averageScore: weighed(hours, (hour) => hour.averageScore),
    freshness: weighed(hours, (hour) => hour.freshness),
    volumeMm3: weighed(hours, (hour) => hour.volumeMm3),
  };
}

/** Share of compliant samples in percent; null without samples. */
export const compliancePct = ({ samples, compliant }: Pick<Tally, 'samples' | 'compliant'>): number | null =>
  samples === 0 ? null : (100 * compliant) / samples;

export function groupHours(hours: readonly Hour[], keyOf: (hour: Hour) => string | null): ReadonlyMap<string, readonly Hour[]> {
  const groups = new Map<string, Hour[]>();
  for (const hour of hours) {
    const key = keyOf(hour);
    if (key === null) continue;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [hour]);
    else group.push(hour);
  }
  return groups;
}

export interface TrendPoint {
  readonly atMs: number;
  readonly value: number | null;
}

/** One point an hour, oldest first, over all devices of `hours`. */
export function hourlyScores(hours: readonly Hour[]): readonly TrendPoint[] {
  const byHour = groupHours(hours, (hour) => String(hour.startMs));
  return [...byHour.values()]
    .map((group) => ({ atMs: group[0]?.startMs ?? 0, value: weighed(group, (hour) => hour.averageScore) }))
    .sort((a, b) => a.atMs - b.atMs);
}

/** A straight line through points by least squares, and how much of the spread it explains. */
export interface Regression {
  readonly slope: number;
  readonly intercept: number;
  readonly r2: number;
}

const POINTS_MIN = 3;

/** Null for fewer than three points, or where all have the same x. */
export function regression(points: readonly (readonly [number, number])[]): Regression | null {
  if (points.length < POINTS_MIN) return null;
  const mean = (at: 0 | 1) => points.reduce((sum, point) => sum + point[at], 0) / points.length;
  const [meanX, meanY] = [mean(0), mean(1)];
  const sum = (of: (dx: number, dy: number) => number) => points.reduce((total, [x, y]) => total + of(x - meanX, y - meanY), 0);
  const [sxx, syy, sxy] = [sum((dx) => dx * dx), sum((_, dy) => dy * dy), sum((dx, dy) => dx * dy)];
  if (sxx === 0) return null;
  const slope = sxy / sxx;
  return { slope, intercept: meanY - slope * meanX, r2: syy === 0 ? 1 : (sxy * sxy) / (sxx * syy) };
}
