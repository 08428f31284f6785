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
  readonly acknowledge: (id: string, by: string, comment?: string) => Promise<void>;
  /** Takes the server's word for an alert that a person just shelved or took off its shelf. */
  readonly replace: (alert: Alert) => void;
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
    alarmId: next.alarmId ?? known.alarmId,
    kind: next.kind ?? known.kind,
    title: next.title ?? known.title,
    deviceId: next.deviceId ?? known.deviceId,
    siteCode: next.siteCode ?? known.siteCode,
    occurrences: Math.max(next.occurrences, known.occurrences),
    isAcknowledged,
    state: next.state ?? known.state,
    comment: next.comment ?? known.comment,
    shelf: next.shelf ?? (next.state === null ? known.shelf : null),
    firstAtMs: next.firstAtMs ?? known.firstAtMs,
    isOver: next.isOver ?? known.isOver,
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

/** The known alerts as the server now says they stand: of a life cycle it tells, what was known of it before is over. */
export function loadedAlerts(known: readonly Alert[], told: readonly Alert[]): readonly Alert[] {
  const newest = new Map(told.flatMap((alert) => (alert.alarmId === null ? [] : [[alert.alarmId, alert] as const])));
  const isSuperseded = (alert: Alert) => {
    const now = alert.alarmId === null ? undefined : newest.get(alert.alarmId);
    return now !== undefined && alert.raisedAtMs <= now.raisedAtMs;
  };
  return mergeAlerts(
    known.filter((alert) => !isSuperseded(alert)),
    told,
  );
}

/** Rows of one life cycle are occurrences of one alert; without its id, those of one device and rule. */
const subjectOf = (alert: Alert): string =>
  alert.alarmId ?? [alert.deviceId, alert.siteCode, alert.kind ?? alert.id].join('\n');

/** A live alert may not tell its life cycle: it is that of the newest open alert of its device and rule. */
function adopted(alert: Alert, known: readonly Alert[]): Alert {
  if (alert.alarmId !== null || alert.kind === null) return alert;
  const kin = known
    .filter((other) => other.kind === alert.kind && other.deviceId === alert.deviceId && other.alarmId !== null)
    .filter((other) => !other.isAcknowledged);
  const newest = kin.toSorted((a, b) => b.raisedAtMs - a.raisedAtMs)[0];
  return { ...alert, alarmId: newest?.alarmId ?? null };
}

/** What is wrong with a device's sensors now; undefined where nothing is, or nobody told since the page was opened. */
export function currentTrouble(alerts: readonly Alert[], deviceId: string): Alert | undefined {
  const faults = alerts.filter((alert) => alert.deviceId === deviceId && alert.kind === 'sensor_fault');
  const newest = faults.toSorted((a, b) => b.raisedAtMs - a.raisedAtMs)[0]; // each occurrence is an alert of its own
  return newest?.isOver === false ? newest : undefined;
}

/** The alerts to handle, one line each: the newest occurrence stands for all, with their count. */
export function pendingAlerts(alerts: readonly Alert[]): readonly Alert[] {
  const bySubject = new Map<string, Alert[]>();
  for (const alert of alerts) {
    if (!alert.isAcknowledged) bySubject.set(subjectOf(alert), [...(bySubject.get(subjectOf(alert)) ?? []), alert]);
  }
  return [...bySubject.values()].flatMap((group) => {
    const [first, ...rest] = group.toSorted((a, b) => b.raisedAtMs - a.raisedAtMs);
    if (first === undefined) return [];
    const told = Math.max(...group.map((alert) => alert.occurrences));
    return [{ ...first, occurrences: Math.max(told, rest.length + 1) }];
  });
}

/** Acknowledging an alert acknowledges what happened under it so far, not what comes later. */
function acknowledged(alerts: readonly Alert[], id: string, by: string): readonly Alert[] {
  const target = alerts.find((alert) => alert.id === id);
  if (target === undefined) return alerts;
  const isMeant = (alert: Alert) => subjectOf(alert) === subjectOf(target) && alert.raisedAtMs <= target.raisedAtMs;
  return alerts
    .map((alert) => (!alert.isAcknowledged && isMeant(alert) ? { ...alert, isAcknowledged: true, acknowledgedBy: by } : alert))
    .sort(byUrgency);
}

/** Whether an alert is worth saying aloud: to be handled, and not the one we know in another state. */
function isNews(alert: Alert, known: readonly Alert[]): boolean {
  const before = known.find((other) => other.id === alert.id);
  return !alert.isAcknowledged && before?.raisedAtMs !== alert.raisedAtMs;
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
    set((state) => ({ alerts: loadedAlerts(state.alerts, alerts), isLoaded: true }));
  },
  raise: (alert) => {
    set((state) => ({
      alerts: mergeAlerts(state.alerts, [adopted(alert, state.alerts)]),
      newest: isNews(alert, state.alerts) ? alert : state.newest,
    }));
  },
  replace: (alert) => {
    set((state) => ({
      alerts: [...state.alerts.filter(({ id }) => id !== alert.id), alert].sort(byUrgency),
    }));
  },
  acknowledge: async (id, by, comment = '') => {
    set((state) => ({ acknowledging: { ...state.acknowledging, [id]: { phase: 'sending' } } }));
    try {
      await acknowledgeAlert(id, by, comment);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const failed: Acknowledging = { phase: 'failed', reason: error.reason };
      set((state) => ({ acknowledging: { ...state.acknowledging, [id]: failed } }));
      return;
    }
    set((state) => ({
      acknowledging: without(state.acknowledging, id),
      alerts: acknowledged(state.alerts, id, by),
    }));
  },
}));
