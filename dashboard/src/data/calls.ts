/** The REST calls of the pages behind the live one; each names its answer, for the store of answers. */
import { call, within, type Answer } from '../api';
import {
  alertPage,
  deadLetterPage,
  deviceRecord,
  eventRecord,
  gapRecord,
  hours,
  lot,
  lotDetail,
  samplePage,
  type AlertPage,
  type DeadLetterPage,
  type DeviceRecord,
  type EventRecord,
  type GapRecord,
  type Hours,
  type Lot,
  type LotDetail,
  type SamplePage,
} from '../domain/records';
import { sampleRow } from '../domain/rows';
import { listOf, type Reader } from '../domain/shape';
import type { JoinedSample } from '../domain/types';

/** A call and the name of its answer: the same path is the same answer. */
export interface Call<T> {
  readonly key: string;
  readonly load: () => Promise<Answer<T>>;
}

type Value = string | number | boolean | null | undefined;

export interface Period {
  readonly startMs: number;
  readonly endMs: number;
}

function path(base: string, query: Readonly<Record<string, Value>> = {}): string {
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === null || value === undefined ? [] : [[name, String(value)] as [string, string]],
  );
  return given.length === 0 ? base : `${base}?${new URLSearchParams(given).toString()}`;
}

const asked = <T>(address: string, read: Reader<T>, key = address): Call<T> => ({ key, load: () => call(address, read) });

const bounds = ({ startMs, endMs }: Period) => ({
  start_time: new Date(startMs).toISOString(),
  end_time: new Date(endMs).toISOString(),
});

/** The hours of the last `spanMs`; the name leaves the moment out, so that a page shows its last answer at once. */
export const recentHours = (spanMs: number, nowMs: number, deviceId: string | null = null): Call<Hours> =>
  asked(
    path('/api/sqal/stats/hourly', { start_time: new Date(nowMs - spanMs).toISOString(), device_id: deviceId, limit: 50_000 }),
    hours,
    `hours ${spanMs} ${deviceId ?? ''}`,
  );

export const hoursOf = (period: Period, deviceId: string): Call<Hours> =>
  asked(path('/api/sqal/stats/hourly', { ...bounds(period), device_id: deviceId, limit: 50_000 }), hours);

export const samplesOf = (period: Period, deviceId: string, limit: number): Call<SamplePage> =>
  asked(path('/api/sqal/samples', { ...bounds(period), device_id: deviceId, limit }), samplePage);

export const storedSample = (sampleId: string): Call<JoinedSample> =>
  asked(`/api/sqal/samples/${encodeURIComponent(sampleId)}`, sampleRow);

export interface AlertFilter {
  readonly spanMs: number;
  readonly severity: string | null;
  /** `open` stands for what nobody has acknowledged. */
  readonly state: string | null;
  readonly deviceId: string | null;
  readonly siteCode: string | null;
  readonly limit: number;
}

export function alertsOf(filter: AlertFilter, nowMs: number): Call<AlertPage> {
  const { spanMs, severity, state, deviceId, siteCode, limit } = filter;
  const query = { severity, state, device_id: deviceId, site_code: siteCode, limit };
  const address = path('/api/sqal/alerts/states', { ...query, start_time: new Date(nowMs - spanMs).toISOString() });
  return asked(address, alertPage, `alerts ${spanMs} ${path('', query)}`);
}

export const lotsOf = (): Call<readonly Lot[]> =>
  asked('/api/sqal/integration/lots-aggregated', within('lots', listOf(lot)));

export const lotOf = (id: string): Call<LotDetail> => asked(`/api/sqal/integration/lot/${encodeURIComponent(id)}`, lotDetail);

export const deviceRecords = (): Call<readonly DeviceRecord[]> =>
  asked('/api/sqal/devices', within('devices', listOf(deviceRecord)), 'device records');

export const eventsOf = (deviceId: string | null, kind: string | null, limit: number): Call<readonly EventRecord[]> =>
  asked(path('/api/sqal/events', { device_id: deviceId, kind, limit }), within('events', listOf(eventRecord)));

export const gapsOf = (deviceId: string | null, limit: number): Call<readonly GapRecord[]> =>
  asked(path('/api/sqal/gaps', { device_id: deviceId, limit }), within('gaps', listOf(gapRecord)));

export const deadLettersBefore = (before: number | null): Call<DeadLetterPage> =>
  asked(path('/api/sqal/dead-letters', { before, limit: 50 }), deadLetterPage);
