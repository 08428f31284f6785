/** How old what we show is, and what that makes of the connection. All times on the page's monotonic clock. */
import type { Arrival } from '../stores/live';
import type { SocketStatus } from './socket';

/** At one measurement a second, five missed ones are no longer chance. */
export const STALE_AFTER_MS = 5_000;

export type Freshness = 'connecting' | 'live' | 'stale' | 'offline';

export const ageMs = (arrival: Arrival, nowMs: number): number =>
  Math.max(0, nowMs - arrival.receivedAtMs) + arrival.ageAtReceiptMs;

/** Age of the newest of several arrivals, or null when there is none. */
export function newestAgeMs(arrivals: readonly Arrival[], nowMs: number): number | null {
  return arrivals.length === 0 ? null : Math.min(...arrivals.map((arrival) => ageMs(arrival, nowMs)));
}

export function freshness(status: SocketStatus, age: number | null): Freshness {
  if (status.phase === 'connecting' && status.attempt === 1 && age === null) return 'connecting';
  if (status.phase !== 'open') return 'offline';
  return age !== null && age <= STALE_AFTER_MS ? 'live' : 'stale';
}
