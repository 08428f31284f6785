/** What the history draws: values over time, from hours or from single measurements; pure, so that it can be tested. */
import type { ControlChart } from '../../data/science';
import type { Hour } from '../../domain/records';
import type { JoinedSample } from '../../domain/types';

export const INDICES = ['score', 'compliance', 'freshness', 'volume', 'uniformity', 'oxidation', 'fatQuality', 'mass'] as const;
export type Index = (typeof INDICES)[number];

/** Between which values an index can lie; the axis shows nothing beyond. */
export const BOUNDS: Readonly<Record<Index, readonly [number, number]>> = {
  score: [0, 100],
  compliance: [0, 100],
  freshness: [0, 1],
  volume: [0, Infinity],
  uniformity: [0, 1],
  oxidation: [0, 1],
  fatQuality: [0, 1],
  mass: [0, Infinity],
};

export interface Point {
  readonly atMs: number;
  readonly value: number;
}

export interface Series {
  readonly name: string;
  readonly points: readonly Point[];
}

const PERCENT = 100;
const MM3_PER_CM3 = 1_000;
const scaled = (value: number | null | undefined, factor: number): number | null =>
  value === null || value === undefined ? null : value * factor;

/** Hours know four of the indices; the others exist per measurement. */
const OF_HOUR: Readonly<Partial<Record<Index, (hour: Hour) => number | null>>> = {
  score: (hour) => scaled(hour.averageScore, PERCENT),
  compliance: (hour) => (hour.samples === 0 ? null : (PERCENT * hour.compliant) / hour.samples),
  freshness: (hour) => hour.freshness,
  volume: (hour) => scaled(hour.volumeMm3, 1 / MM3_PER_CM3),
};

const OF_SAMPLE: Readonly<Record<Index, (sample: JoinedSample) => number | null>> = {
  score: ({ fusion }) => fusion.score.value * PERCENT,
  compliance: ({ fusion }) => (fusion.isCompliant ? PERCENT : 0),
  freshness: ({ spectral }) => spectral.freshness?.value ?? null,
  volume: ({ tof }) => scaled(tof.volumeMm3?.value, 1 / MM3_PER_CM3),
  uniformity: ({ tof }) => tof.uniformity?.value ?? null,
  oxidation: ({ spectral }) => spectral.oxidation?.value ?? null,
  fatQuality: ({ spectral }) => spectral.fatQuality?.value ?? null,
  mass: ({ tof }) => tof.massG?.value ?? null,
};

export const isHourly = (index: Index): boolean => OF_HOUR[index] !== undefined;

const inOrder = (points: readonly Point[]): readonly Point[] => points.toSorted((a, b) => a.atMs - b.atMs);

export function hourPoints(hours: readonly Hour[], index: Index): readonly Point[] {
  const read = OF_HOUR[index];
  if (read === undefined) return [];
  return inOrder(
    hours.flatMap((hour) => {
      const value = read(hour);
      return value === null ? [] : [{ atMs: hour.startMs, value }];
    }),
  );
}

export function samplePoints(samples: readonly JoinedSample[], index: Index): readonly Point[] {
  return inOrder(
    samples.flatMap((sample) => {
      const [atMs, value] = [sample.fusion.measuredAtMs, OF_SAMPLE[index](sample)];
      return atMs === null || value === null ? [] : [{ atMs, value }];
    }),
  );
}

export const shifted = (points: readonly Point[], byMs: number): readonly Point[] =>
  points.map(({ atMs, value }) => ({ atMs: atMs + byMs, value }));

export interface Summary {
  readonly count: number;
  readonly mean: number;
  /** Of the sample, n − 1; null for a single value. */
  readonly deviation: number | null;
  readonly low: number;
  readonly high: number;
}

export function summary(points: readonly Point[]): Summary | null {
  const count = points.length;
  if (count === 0) return null;
  const values = points.map(({ value }) => value);
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const [low, high] = values.reduce(([least, most], value) => [Math.min(least, value), Math.max(most, value)], [Infinity, -Infinity]);
  return { count, mean, deviation: count === 1 ? null : Math.sqrt(squares / (count - 1)), low, high };
}

/** All series on one axis of time, seconds, null where a series has no value: the shape that the chart takes. */
export function aligned(series: readonly Series[]): readonly [readonly number[], ...(readonly (number | null)[])[]] {
  const times = [...new Set(series.flatMap(({ points }) => points.map(({ atMs }) => atMs)))].sort((a, b) => a - b);
  const columns = series.map(({ points }) => {
    const byTime = new Map(points.map(({ atMs, value }) => [atMs, value]));
    return times.map((atMs) => byTime.get(atMs) ?? null);
  });
  return [times.map((atMs) => atMs / 1_000), ...columns];
}

const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;

/** RFC 4180, times in UTC, points as decimal signs: what a spreadsheet and a program both read. */
export function csvOf(series: readonly Series[]): string {
  const [times, ...columns] = aligned(series);
  const head = ['time', ...series.map(({ name }) => quoted(name))].join(',');
  const rows = times.map((seconds, at) =>
    [new Date(seconds * 1_000).toISOString(), ...columns.map((column) => column[at] ?? '')].join(','),
  );
  return `${[head, ...rows].join('\r\n')}\r\n`;
}

/** A control chart point by point, with the limits it was held to and the rules it breaks. */
export function controlCsvOf({ points, centre, lower, upper }: ControlChart): string {
  const rows = points.map(({ atMs, drawn, sampleId, rules }) =>
    [new Date(atMs).toISOString(), drawn, centre, lower, upper, quoted(rules.join(' ')), quoted(sampleId ?? '')].join(','),
  );
  return `${['time,value,centre,lower,upper,rules,sample_id', ...rows].join('\r\n')}\r\n`;
}
