/** The alerts of the last day: what REST told, kept current by live messages; bounded, unacknowledged first. */
import { create } from 'zustand';
import { acknowledgeAlert, ApiError } from '../api';
import type { Alert, Severity } from '../domain/types';

/** More than anybody reads; the API keeps the rest. */
export const ALERTS_MAX = 200;

export type Acknowledging = { readonly phase: 'sending' } | { readonly phase: 'failed'; readonly reason: string };

export interface AlertsState {
  readonly alerts: readonly Alert[];
  readonly isLoaded: boolean;
  /** The call that is under way or failed, by alert. */
  readonly acknowledging: Readonly<Record<string, Acknowledging>>;
  /** The alert that came last over the live connection, for the announcement. */
  readonly newest: Alert | null;
  readonly load: (alerts: readonly Alert[]) => void;
  readonly raise: (alert: Alert) => void;
  readonly acknowledge: (id: string, by: string) => Promise<void>;
}

const RANK: Readonly<Record<Severity, number>> = { critical: 0, warning: 1, info: 2 };

function byUrgency(a: Alert, b: Alert): number {
  if (a.isAcknowledged !== b.isAcknowledged) return a.isAcknowledged ? 1 : -1;
  if (a.isAcknowledged) return b.raisedAtMs - a.raisedAtMs;
  return RANK[a.severity] - RANK[b.severity] || b.raisedAtMs - a.raisedAtMs;
}

/** An acknowledgement is never taken back by an older message about the same alert. */
function newer(known: Alert | undefined, next: Alert): Alert {
  if (known === undefined) return next;
  const isAcknowledged = next.isAcknowledged || (known.isAcknowledged && next.raisedAtMs <= known.raisedAtMs);
  return {
    ...next,
    kind: next.kind ?? known.kind,
    title: next.title ?? known.title,
    deviceId: next.deviceId ?? known.deviceId,
    siteCode: next.siteCode ?? known.siteCode,
    isAcknowledged,
    acknowledgedBy: next.acknowledgedBy ?? (isAcknowledged ? known.acknowledgedBy : null),
    context: { ...known.context, ...next.context },
  };
}

/** The known alerts with these added or updated, sorted, at most `ALERTS_MAX`. */
export function mergeAlerts(known: readonly Alert[], added: readonly Alert[]): readonly Alert[] {
  const byId = new Map(known.map((alert) => [alert.id, alert]));
  for (const alert of added) byId.set(alert.id, newer(byId.get(alert.id), alert));
  return [...byId.values()].sort(byUrgency).slice(0, ALERTS_MAX);
}

function without(states: AlertsState['acknowledging'], id: string): AlertsState['acknowledging'] {
  return Object.fromEntries(Object.entries(states).filter(([key]) => key !== id));
}

export const useAlerts = create<AlertsState>()((set) => ({
  alerts: [],
  isLoaded: false,
  acknowledging: {},
  newest: null,
  load: (alerts) => {
    set((state) => ({ alerts: mergeAlerts(state.alerts, alerts), isLoaded: true }));
  },
  raise: (alert) => {
    set((state) => ({
      alerts: mergeAlerts(state.alerts, [alert]),
      newest: alert.isAcknowledged ? state.newest : alert,
    }));
  },
  acknowledge: async (id, by) => {
    set((state) => ({ acknowledging: { ...state.acknowledging, [id]: { phase: 'sending' } } }));
    try {
      await acknowledgeAlert(id, by);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const failed: Acknowledging = { phase: 'failed', reason: error.reason };
      set((state) => ({ acknowledging: { ...state.acknowledging, [id]: failed } }));
      return;
    }
    set((state) => ({
      acknowledging: without(state.acknowledging, id),
      alerts: state.alerts
        .map((alert) => (alert.id === id ? { ...alert, isAcknowledged: true, acknowledgedBy: by } : alert))
        .sort(byUrgency),
    }));
  },
}));
