/** Asks for what the history shows: single measurements when near, hours when far, and what they are compared with. */
import { hoursOf, samplesOf, type Period } from '../../data/calls';
import { useQuery, type Query } from '../../data/queries';
import type { Answer } from '../../api';
import { useMemo } from 'react';
import { hourPoints, isHourly, samplePoints, shifted, type Index, type Point, type Series } from './series';
import type { Hour } from '../../domain/records';
import type { JoinedSample } from '../../domain/types';

/** Up to here every measurement is drawn; beyond it, hours. */
export const RAW_SPAN_MS = 3_600_000;
export const RAW_MAX = 1_000;

export const isNear = ({ startMs, endMs }: Period): boolean => endMs - startMs <= RAW_SPAN_MS;

interface Data {
  readonly hours: readonly Hour[];
  readonly samples: readonly JoinedSample[];
  readonly isTruncated: boolean;
}

const NOTHING: Data = { hours: [], samples: [], isTruncated: false };

async function loadData(period: Period, deviceId: string | null): Promise<Answer<Data>> {
  if (deviceId === null) return { value: NOTHING, serverTimeMs: null };
  if (isNear(period)) {
    const answer = await samplesOf(period, deviceId, RAW_MAX).load();
    const { samples } = answer.value;
    return { ...answer, value: { hours: [], samples, isTruncated: samples.length === RAW_MAX } };
  }
  const answer = await hoursOf(period, deviceId).load();
  return { ...answer, value: { hours: answer.value.hours, samples: [], isTruncated: answer.value.isTruncated } };
}

const pointsOf = (data: Data | null, index: Index): readonly Point[] =>
  data === null ? [] : [...samplePoints(data.samples, index), ...hourPoints(data.hours, index)];

const BEFORE = '@before';
/** What a device is compared with: another device, the same one a period earlier, or nothing. */
export type Other = string | null;
export const PERIOD_BEFORE: Other = BEFORE;

export interface Wanted {
  readonly index: Index;
  readonly period: Period;
  readonly deviceId: string | null;
  readonly other: Other;
  readonly nameBefore: (device: string) => string;
}

export interface Found {
  readonly query: Query<Data>;
  readonly series: readonly Series[];
  readonly isRawOnly: boolean;
}

function useData(period: Period, deviceId: string | null): Query<Data> {
  return useQuery(`history ${deviceId ?? ''} ${period.startMs} ${period.endMs}`, () => loadData(period, deviceId));
}

export function useSeries({ index, period, deviceId, other, nameBefore }: Wanted): Found {
  const spanMs = period.endMs - period.startMs;
  const isBefore = other === BEFORE;
  const otherPeriod = isBefore ? { startMs: period.startMs - spanMs, endMs: period.startMs } : period;
  const query = useData(period, deviceId);
  const compared = useData(otherPeriod, isBefore ? deviceId : other);
  const series = useMemo(() => {
    if (deviceId === null) return [];
    const first = { name: deviceId, points: pointsOf(query.value, index) };
    if (other === null) return [first];
    const points = pointsOf(compared.value, index);
    const second = isBefore ? { name: nameBefore(deviceId), points: shifted(points, spanMs) } : { name: other, points };
    return [first, second];
  }, [compared.value, deviceId, index, isBefore, nameBefore, other, query.value, spanMs]);
  return { query, series, isRawOnly: !isNear(period) && !isHourly(index) };
}
