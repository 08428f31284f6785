/**
 * The REST calls of the page. Every answer passes a guard; every failure is an `ApiError` that says which call and why.
 */
import { alertRow, deviceRow, overview, sampleRow } from './domain/rows';
import { fields, instant, listOf, ShapeError, type Reader } from './domain/shape';
import type { Alert, Device, JoinedSample, Overview } from './domain/types';

const TIMEOUT_MS = 10_000;

/** A call that failed. `status` is 0 when no answer came. */
export class ApiError extends Error {
  constructor(
    readonly path: string,
    readonly status: number,
    readonly reason: string,
  ) {
    super(`${path}: ${reason}`);
    this.name = 'ApiError';
  }
}

/** An answer, and the server's own time when it gave it (from the Date header), ms since 1970. */
export interface Answer<T> {
  readonly value: T;
  readonly serverTimeMs: number | null;
}

async function problemOf(response: Response): Promise<string> {
  const body: unknown = await response.json().catch(() => null);
  const detail = body !== null && typeof body === 'object' && 'detail' in body ? body.detail : null;
  return typeof detail === 'string' ? detail : `HTTP ${response.status}`;
}

async function request(path: string, method: 'GET' | 'POST', content?: object): Promise<Response> {
  let response: Response;
  const body = content === undefined ? {} : { body: JSON.stringify(content) };
  const headers = { Accept: 'application/json', ...(content === undefined ? {} : { 'Content-Type': 'application/json' }) };
  try {
    response = await fetch(path, { method, signal: AbortSignal.timeout(TIMEOUT_MS), headers, ...body });
  } catch (error) {
    throw new ApiError(path, 0, error instanceof Error ? error.message : String(error));
  }
  if (!response.ok) throw new ApiError(path, response.status, await problemOf(response));
  return response;
}

export async function call<T>(path: string, read: Reader<T>, method: 'GET' | 'POST' = 'GET', content?: object): Promise<Answer<T>> {
  const response = await request(path, method, content);
  const date = Date.parse(response.headers.get('Date') ?? '');
  try {
    const body: unknown = await response.json();
    return { value: read(body, 'answer'), serverTimeMs: Number.isNaN(date) ? null : date };
  } catch (error) {
    if (error instanceof ShapeError) throw new ApiError(path, response.status, error.message);
    throw new ApiError(path, response.status, error instanceof Error ? error.message : String(error));
  }
}

/** A POST with a JSON body. */
export const send = <T>(path: string, read: Reader<T>, content: object): Promise<Answer<T>> => call(path, read, 'POST', content);

export const within =
  <T>(key: string, read: Reader<T>): Reader<T> =>
  (value, path) =>
    read(fields(value, path)[key], `${path}.${key}`);

export const fetchDevices = (): Promise<Answer<readonly Device[]>> =>
  call('/api/sqal/devices', within('devices', listOf(deviceRow)));

/** The last `limit` stored samples of a device, in no promised order. */
export const fetchSamples = (deviceId: string, limit: number): Promise<Answer<readonly JoinedSample[]>> =>
  call(
    `/api/sqal/samples?${new URLSearchParams({ device_id: deviceId, limit: String(limit) }).toString()}`,
    within('samples', listOf(sampleRow)),
  );

export const fetchAlerts = (limit: number): Promise<Answer<readonly Alert[]>> =>
  call(`/api/sqal/alerts/states?limit=${limit}`, within('alerts', listOf(alertRow)));

export const fetchOverview = (): Promise<Answer<Overview>> => call('/api/sqal/dashboard/overview', overview);

export function acknowledgeAlert(id: string, acknowledgedBy: string, comment: string): Promise<Answer<unknown>> {
  const query = new URLSearchParams({ acknowledged_by: acknowledgedBy, ...(comment === '' ? {} : { comment }) });
  return call(`/api/sqal/alerts/${encodeURIComponent(id)}/acknowledge?${query.toString()}`, fields, 'POST');
}

/** Silences an alert for a while; the answer says until when. */
export const shelveAlert = (id: string, minutes: number, reason: string): Promise<Answer<number>> =>
  send(`/api/sqal/alerts/${encodeURIComponent(id)}/shelve`, within('shelved_until', instant), { minutes, reason });

export const unshelveAlert = (id: string): Promise<Answer<unknown>> =>
  call(`/api/sqal/alerts/${encodeURIComponent(id)}/unshelve`, fields, 'POST');
