/**
 * Goal: the feed brings REST and live messages together without a hole, and keeps the page calm.
 * Method: a wire and a REST server played by the test, on virtual time; what is checked is what the stores hold.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LiveFeed, PUBLISH_EVERY_MS } from '../src/live/feed';
import { useAlerts } from '../src/stores/alerts';
import { useConnection } from '../src/stores/connection';
import { useFleet } from '../src/stores/fleet';
import { useLive } from '../src/stores/live';
import { usePreferences } from '../src/stores/preferences';
import { alertMessage, fusionMessage, sampleRowOf, spectralMessage, tofMessage } from './samples';
import { Wire } from './wire';

const STORES = [useAlerts, useConnection, useFleet, useLive, usePreferences];
const INITIAL = STORES.map((store) => store.getState());
const OVERVIEW = {
  stats_24h: { total_samples: 5, avg_quality_score: 0.8, compliance_rate_pct: 99 },
  active_alerts: 1,
  critical_alerts: 0,
  total_devices: 2,
  active_devices: 1,
};

let wires: Wire[] = [];
let asked: string[] = [];
let answers: Record<string, unknown> = {};
let feed: LiveFeed;

const wire = (): Wire => wires.at(-1) ?? new Wire();
const settle = () => vi.advanceTimersByTimeAsync(PUBLISH_EVERY_MS);
const shownSample = () => useLive.getState().latestFusion['ESP32_LL_01']?.sampleId;

function sendSample(sampleId: string): void {
  for (const message of [tofMessage, spectralMessage, fusionMessage]) wire().says(message(sampleId));
}

beforeEach(async () => {
  vi.useFakeTimers();
  STORES.forEach((store, at) => {
    (store.setState as (state: unknown, replace: true) => void)(INITIAL[at], true);
  });
  wires = [];
  asked = [];
  answers = {
    '/api/sqal/devices': { devices: [{ device_id: 'ESP32_LL_01', site_code: 'LL' }, { device_id: 'ESP32_LS_01', site_code: 'LS' }] },
    '/api/sqal/samples': { samples: [] },
    '/api/sqal/alerts': [],
    '/api/sqal/dashboard/overview': OVERVIEW,
  };
  vi.stubGlobal('fetch', (path: string) => {
    asked.push(path);
    const answer = answers[path.split('?')[0] ?? ''];
    return Promise.resolve(answer === undefined ? Response.json({ detail: 'gone' }, { status: 503 }) : Response.json(answer));
  });
  const open = () => {
    wires.push(new Wire());
    return wire();
  };
  feed = new LiveFeed({ open, now: () => Date.now(), random: () => 1 });
  feed.start();
  await settle();
  wire().onopen?.();
  await settle();
});

afterEach(() => {
  feed.stop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('the feed', () => {
  it('shows a sample at once, and a fast line not more than four times a second', () => {
    let updates = 0;
    const stop = useLive.subscribe(() => (updates += 1));
    for (let index = 0; index < 100; index += 1) {
      sendSample(`s${index}`);
      if (index === 0) expect(shownSample()).toBe('s0');
      vi.advanceTimersByTime(10);
    }
    vi.advanceTimersByTime(PUBLISH_EVERY_MS);
    stop();
    expect(shownSample()).toBe('s99');
    expect(updates).toBeLessThanOrEqual(5);
  });

  it('fills what was missed after a cut, from the database', async () => {
    sendSample('before');
    wire().onclose?.();
    answers['/api/sqal/samples'] = { samples: [sampleRowOf('missed', '2026-03-02T08:00:30Z')] };
    await vi.advanceTimersByTimeAsync(1_000);
    expect(wires).toHaveLength(2);
    wire().onopen?.();
    await settle();
    await settle();
    expect(useLive.getState().history['ESP32_LL_01']?.map((entry) => entry.sampleId)).toEqual(['before', 'missed']);
    expect(shownSample()).toBe('missed');
  });

  it('fills the strip of a device whose first live sample came before the list of devices', async () => {
    wire().onclose?.();
    asked = [];
    await vi.advanceTimersByTimeAsync(1_000);
    wire().onopen?.();
    sendSample('early');
    await settle();
    expect(asked.filter((path) => path.startsWith('/api/sqal/samples?device_id=ESP32_LL_01'))).toHaveLength(1);
  });

  it('asks the database again when the server left something out for it', async () => {
    asked = [];
    wire().says({ type: 'gap', missed: 30, missed_alerts: 2 });
    await settle();
    expect(useConnection.getState().missed).toBe(30);
    expect(asked.filter((path) => path.startsWith('/api/sqal/samples'))).toHaveLength(2);
    expect(asked.some((path) => path.startsWith('/api/sqal/alerts'))).toBe(true);
  });

  it('asks for the chosen site only', async () => {
    asked = [];
    usePreferences.getState().setSite('LS');
    await settle();
    expect(wire().sent.at(-1)).toEqual({ type: 'subscribe', filters: { site_code: 'LS' } });
    expect(asked).toEqual(['/api/sqal/samples?device_id=ESP32_LS_01&limit=30']);
  });

  it('keeps what REST refuses as a reason, and clears it when it works again', async () => {
    delete answers['/api/sqal/dashboard/overview'];
    feed.retry();
    await settle();
    expect(useFleet.getState().overviewError).toBe('/api/sqal/dashboard/overview: gone');
    expect(useFleet.getState().overview?.samples).toBe(5);
    answers['/api/sqal/dashboard/overview'] = OVERVIEW;
    feed.retry();
    await settle();
    expect(useFleet.getState().overviewError).toBeNull();
  });

  it('takes alerts, states of devices and of the server, and counts what it cannot read', () => {
    wire().says(alertMessage());
    wire().says({ type: 'device_status', payload: { device_id: 'ESP32_LL_01', status: 'lost' } });
    wire().says({ type: 'system_status', payload: { database_connected: false, broker_connected: true, storing: false } });
    wire().says({ type: 'sensor_data', payload: {} });
    expect(useAlerts.getState().newest?.id).toBe('7');
    expect(useFleet.getState().deviceStates).toEqual({ ESP32_LL_01: 'lost' });
    expect(useConnection.getState().links?.database).toBe(false);
    expect(useConnection.getState()).toMatchObject({ unreadable: 1, lastProblem: 'payload.sensor_type is not one of VL53L8CH, AS7341' });
  });

  it('stops everything', async () => {
    feed.stop();
    asked = [];
    await vi.advanceTimersByTimeAsync(120_000);
    expect(asked).toEqual([]);
    expect(wires).toHaveLength(1);
  });
});
