import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseLiveMessage } from '../src/domain/live-messages';
import type { Alert } from '../src/domain/types';
import { ALERTS_MAX, mergeAlerts, pendingAlerts, useAlerts } from '../src/stores/alerts';
import { alertMessage } from './samples';

const INITIAL = useAlerts.getState();

function alert(changes: Partial<Alert> = {}): Alert {
  const event = parseLiveMessage(JSON.stringify(alertMessage()));
  if (event.kind !== 'alert') throw new Error(`read as ${event.kind}`);
  return { ...event.alert, ...changes };
}

const stubFetch = (response: Response) => {
  const called = vi.fn((_path: string, _init: RequestInit) => Promise.resolve(response));
  vi.stubGlobal('fetch', called);
  return called;
};

beforeEach(() => {
  useAlerts.setState(INITIAL, true);
});

afterEach(() => {
  vi.unstubAllGlobals();
});

describe('alerts', () => {
  it('puts what is to be handled first, the gravest and newest of it on top', () => {
    const merged = mergeAlerts([], [
      alert({ id: '1', severity: 'warning', raisedAtMs: 50 }),
      alert({ id: '2', severity: 'critical', raisedAtMs: 10 }),
      alert({ id: '3', severity: 'critical', raisedAtMs: 20 }),
      alert({ id: '4', severity: 'critical', raisedAtMs: 99, isAcknowledged: true }),
    ]);
    expect(merged.map(({ id }) => id)).toEqual(['3', '2', '1', '4']);
  });

  it('is bounded, and drops handled ones first', () => {
    const many = Array.from({ length: ALERTS_MAX }, (_, index) => alert({ id: `n${index}`, raisedAtMs: index }));
    const merged = mergeAlerts(many, [alert({ id: 'done', isAcknowledged: true, raisedAtMs: 1e9 })]);
    expect(merged).toHaveLength(ALERTS_MAX);
    expect(merged.some(({ id }) => id === 'done')).toBe(false);
  });

  it('does not forget an acknowledgement because of an older message, but takes a new occurrence', () => {
    const handled = alert({ isAcknowledged: true, acknowledgedBy: 'Ana' });
    expect(mergeAlerts([handled], [alert()])[0]).toMatchObject({ isAcknowledged: true, acknowledgedBy: 'Ana' });
    const again = alert({ raisedAtMs: handled.raisedAtMs + 1 });
    expect(mergeAlerts([handled], [again])[0]).toMatchObject({ isAcknowledged: false, acknowledgedBy: null });
  });

  it('shows one line for one device and rule, with the number of times', () => {
    const rows = [
      alert({ id: '1', raisedAtMs: 1 }),
      alert({ id: '2', raisedAtMs: 2 }),
      alert({ id: '3', raisedAtMs: 3, kind: 'oxidation_high', occurrences: 9 }),
      alert({ id: '4', raisedAtMs: 4, isAcknowledged: true }),
    ];
    expect(pendingAlerts(rows).map(({ id, occurrences }) => [id, occurrences])).toEqual([
      ['2', 2],
      ['3', 9],
    ]);
  });

  it('gathers the occurrences of one life cycle, also those that only the live stream has told', () => {
    useAlerts.getState().load([alert({ id: '1', alarmId: 'x', raisedAtMs: 1 }), alert({ id: '2', alarmId: 'y', raisedAtMs: 2 })]);
    useAlerts.getState().raise(alert({ id: '3', raisedAtMs: 3, occurrences: 5 }));
    const lines = pendingAlerts(useAlerts.getState().alerts).map(({ id, alarmId, occurrences }) => [id, alarmId, occurrences]);
    expect(lines).toEqual([
      ['3', 'y', 5],
      ['1', 'x', 1],
    ]);
  });

  it('announces a new alert, not the change of one that is known', () => {
    const { raise } = useAlerts.getState();
    raise(alert({ id: '1' }));
    const first = useAlerts.getState().newest;
    raise(alert({ id: '1', severity: 'warning' }));
    raise(alert({ id: '2', isAcknowledged: true }));
    expect(first?.id).toBe('1');
    expect(useAlerts.getState().newest).toBe(first);
  });

  it('acknowledges by REST, then shows it', async () => {
    const called = stubFetch(Response.json({ success: true, alert_id: 7 }));
    useAlerts.getState().load([alert({ id: '6', raisedAtMs: 1 }), alert({ id: '7', raisedAtMs: 2 }), alert({ id: '8', raisedAtMs: 3 })]);
    await useAlerts.getState().acknowledge('7', 'Ana & Luc');
    expect(called.mock.calls[0]?.[0]).toBe('/api/sqal/alerts/7/acknowledge?acknowledged_by=Ana+%26+Luc');
    expect(called.mock.calls[0]?.[1].method).toBe('POST');
    const handled = useAlerts.getState().alerts.filter(({ isAcknowledged }) => isAcknowledged);
    expect(handled.map(({ id }) => id)).toEqual(['7', '6']);
  });

  it('says why an acknowledgement failed, and keeps the alert open', async () => {
    stubFetch(Response.json({ detail: 'alert 7 is not known' }, { status: 404 }));
    useAlerts.getState().load([alert()]);
    await useAlerts.getState().acknowledge('7', 'Ana');
    expect(useAlerts.getState().acknowledging['7']).toEqual({ phase: 'failed', reason: 'alert 7 is not known' });
    expect(useAlerts.getState().alerts[0]?.isAcknowledged).toBe(false);
  });
});
