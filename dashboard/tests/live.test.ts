import { beforeEach, describe, expect, it } from 'vitest';
import { sampleRow } from '../src/domain/rows';
import { ageMs, freshness, newestAgeMs, STALE_AFTER_MS } from '../src/live/freshness';
import { arrive, SampleJoiner, type ArrivedSample } from '../src/live/joiner';
import { HISTORY_MAX, mergeHistory, useLive, type HistoryEntry } from '../src/stores/live';
import { fusionMessage, part, sampleRowOf, spectralMessage, tofMessage } from './samples';

const MESSAGES = [tofMessage, spectralMessage, fusionMessage];
const INITIAL = useLive.getState();

beforeEach(() => {
  useLive.setState(INITIAL, true);
});

function joined(joiner: SampleJoiner, sampleId: string, deviceId = 'ESP32_LL_01', receivedAtMs = 1_000): ArrivedSample {
  const done = MESSAGES.map((message) => joiner.accept(part(message(sampleId, deviceId)), receivedAtMs)).find((found) => found !== null);
  if (done === undefined) throw new Error('three parts make a sample');
  return done;
}

const stored = (sampleId: string, time: string, serverTimeMs: number, receivedAtMs: number): ArrivedSample =>
  arrive(sampleRow(sampleRowOf(sampleId, time), 'row'), { sentAtMs: serverTimeMs, receivedAtMs });

describe('joining', () => {
  it('completes a sample with its third part, in whatever order the parts come', () => {
    for (const order of [[0, 1, 2], [2, 1, 0], [1, 2, 0]]) {
      const joiner = new SampleJoiner();
      const results = order.map((at) => joiner.accept(part((MESSAGES[at] ?? tofMessage)('s1')), 5));
      expect(results.map((result) => result !== null)).toEqual([false, false, true]);
    }
  });

  it('never mixes two samples or two devices', () => {
    const joiner = new SampleJoiner();
    const parts = [
      tofMessage('s1', 'a'),
      tofMessage('s2', 'a'),
      spectralMessage('s1', 'b'),
      spectralMessage('s2', 'a'),
      fusionMessage('s1', 'a'),
      tofMessage('s1', 'b'),
      fusionMessage('s2', 'a'),
    ];
    const whole = parts.map((message) => joiner.accept(part(message), 0)).filter((result) => result !== null);
    expect(whole).toHaveLength(1);
    const { tof, spectral, fusion } = whole[0]?.sample ?? {};
    expect([tof, spectral, fusion].map((found) => `${found?.deviceId} ${found?.sampleId}`)).toEqual(Array(3).fill('a s2'));
  });

  it('gives up parts whose others never come, and counts them', () => {
    const joiner = new SampleJoiner();
    for (let index = 0; index < 20; index += 1) joiner.accept(part(tofMessage(`s${index}`)), 0);
    expect(joiner.incomplete).toBe(12);
    joiner.reset();
    expect(joiner.incomplete).toBe(20);
  });

  it('knows how old a measurement was when it was sent', () => {
    expect(joined(new SampleJoiner(), 's1').ageAtReceiptMs).toBe(200);
  });
});

describe('the store', () => {
  it('changes the three parts of a device together', () => {
    const joiner = new SampleJoiner();
    const seen = new Set<string>();
    const stop = useLive.subscribe((state) => {
      const ids = [state.latestVL53L8CH, state.latestAS7341, state.latestFusion].map((map) => map['ESP32_LL_01']?.sampleId);
      seen.add(ids.join());
    });
    useLive.getState().publish([joined(joiner, 's1'), joined(joiner, 's2')]);
    useLive.getState().publish([joined(joiner, 's3')]);
    stop();
    expect([...seen]).toEqual(['s2,s2,s2', 's3,s3,s3']);
  });

  it('lets a stored sample fill an empty card but never push a newer one aside', () => {
    const { publish } = useLive.getState();
    const serverTimeMs = Date.parse('2026-03-02T08:00:00Z');
    publish([stored('old', '2026-03-02T07:59:50Z', serverTimeMs, 0)]);
    expect(useLive.getState().latestFusion['ESP32_LL_01']?.sampleId).toBe('old');
    expect(ageMs(useLive.getState().arrivals['ESP32_LL_01'] ?? { receivedAtMs: 0, ageAtReceiptMs: 0, measuredAtMs: 0 }, 500)).toBe(10_500);
    publish([joined(new SampleJoiner(), 'live')]);
    publish([stored('older', '2026-03-02T07:59:40Z', serverTimeMs, 0)]);
    expect(useLive.getState().latestFusion['ESP32_LL_01']?.sampleId).toBe('live');
    expect(useLive.getState().history['ESP32_LL_01']?.map((entry) => entry.sampleId)).toEqual(['older', 'old', 'live']);
  });

  it('shows a live sample even when the device set its clock back', () => {
    useLive.getState().publish([stored('future', '2027-01-01T00:00:00Z', Date.parse('2027-01-01T00:00:00Z'), 0)]);
    useLive.getState().publish([joined(new SampleJoiner(), 'live')]);
    expect(useLive.getState().latestFusion['ESP32_LL_01']?.sampleId).toBe('live');
  });

  it('keeps a bounded history, each sample once, in order of measurement', () => {
    const { sample } = joined(new SampleJoiner(), 'any');
    const entry = (at: number): HistoryEntry => ({
      sampleId: `s${at}`,
      measuredAtMs: at,
      grade: 'A',
      score: 0.8,
      nearestMm: 1,
      farthestMm: 2,
      sample,
    });
    const later = Array.from({ length: HISTORY_MAX }, (_, index) => entry(index + 10));
    const merged = mergeHistory(later, [entry(5), entry(12), entry(99)]);
    expect(merged).toHaveLength(HISTORY_MAX);
    expect(merged[0]?.measuredAtMs).toBe(11);
    expect(merged.at(-1)?.measuredAtMs).toBe(99);
    expect(new Set(merged.map((kept) => kept.sampleId)).size).toBe(HISTORY_MAX);
  });
});

describe('freshness', () => {
  const open = { phase: 'open' } as const;
  const lost = { phase: 'waiting', attempt: 1, retryAtMs: 0 } as const;

  it('is live up to the limit, stale beyond it, offline without a connection', () => {
    expect(freshness(open, STALE_AFTER_MS)).toBe('live');
    expect(freshness(open, STALE_AFTER_MS + 1)).toBe('stale');
    expect(freshness(open, null)).toBe('stale');
    expect(freshness(lost, 0)).toBe('offline');
    expect(freshness({ phase: 'connecting', attempt: 1 }, null)).toBe('connecting');
    expect(freshness({ phase: 'connecting', attempt: 2 }, 0)).toBe('offline');
  });

  it('takes the age of the newest device', () => {
    const at = (receivedAtMs: number) => ({ receivedAtMs, ageAtReceiptMs: 100, measuredAtMs: 0 });
    expect(newestAgeMs([at(0), at(900)], 1_000)).toBe(200);
    expect(newestAgeMs([], 1_000)).toBeNull();
  });
});
