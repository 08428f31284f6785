/** What the line's own pages compute: places of anomalies, the recipe's band, shifts, limits, and alerts as they stand. */
import { describe, expect, it } from 'vitest';
import { reflectanceMap, spotsOn } from '../src/components/heat';
import { bandOf } from '../src/components/Spectrum';
import { alertRow, sampleRow } from '../src/domain/rows';
import type { Alert } from '../src/domain/types';
import { shiftOf } from '../src/format';
import { arrive } from '../src/live/joiner';
import { limitIn, limitsOf } from '../src/pages/history/CapabilityStudy';
import { controlCsvOf } from '../src/pages/history/series';
import { loadedAlerts } from '../src/stores/alerts';
import { isOncePerPiece, withSamples, useLive } from '../src/stores/live';
import { sampleRowOf } from './samples';

const BELT = 250;
const TOP = 200;
/** A piece on the middle four rows and columns. */
const PIECE = Array.from({ length: 8 }, (_, row) =>
  Array.from({ length: 8 }, (__, column) => (row >= 2 && row < 6 && column >= 2 && column < 6 ? TOP : BELT)),
);

const anomaly = (along: number, across: number) => ({ kind: 'dent', along_mm: along, across_mm: across, area_mm2: 100, peak: -4, severity: 0.5 });

function stored(changes: object = {}) {
  const row = { ...sampleRowOf('s1', '2026-03-02T08:00:00Z'), vl53l8ch_distance_matrix: PIECE, vl53l8ch_belt_distance_mm: BELT };
  return sampleRow({ ...row, ...changes }, 'row');
}

describe('anomalies on the map', () => {
  it('lie where they were seen, counted from the middle of the piece', () => {
    const { tof } = stored({ details: { tof: { anomalies: [anomaly(0, 0), anomaly(20.7, 0)] } } });
    const [middle, ahead] = spotsOn(tof);
    expect(middle).toMatchObject({ x: 4, y: 4 });
    expect(ahead?.x).toBeCloseTo(5, 1);
    expect(ahead?.y).toBe(4);
  });

  it('stay on the map, and are none where nobody knows the belt', () => {
    const { tof } = stored({ details: { tof: { anomalies: [anomaly(500, -500)] } } });
    expect(spotsOn(tof)[0]).toMatchObject({ x: 7.8, y: 0.2 });
    expect(spotsOn({ ...tof, beltDistanceMm: null })).toEqual([]);
  });

  it('are refused with their place in the row when they are none', () => {
    expect(() => stored({ details: { tof: { anomalies: [{ ...anomaly(0, 0), kind: 'scratch' }] } } })).toThrow(/anomalies\[0\].kind/);
  });
});

describe('reflectance', () => {
  it('comes in half percents and has a map of its own', () => {
    const { tof } = stored({ vl53l8ch_reflectance_matrix: PIECE });
    expect(tof.reflectancePct?.[0]?.[0]).toBe(125);
    expect(reflectanceMap(tof)).toMatchObject({ mode: 'reflectance', scale: { lowMm: 0, highMm: 130 } });
    expect(reflectanceMap(stored().tof)).toBeNull();
  });

  it('is held to a band as wide as the recipe says', () => {
    const [band] = bandOf({ reference: [0.5], tolerance: 0.1 });
    expect(band?.lowPct).toBeCloseTo(39.72, 2);
    expect(band?.highPct).toBeCloseTo(62.95, 2);
  });
});

describe('alerts as the server says they stand', () => {
  const row = (changes: object): Alert =>
    alertRow({ alert_id: 7, alarm_id: 'a', severity: 'warning', message: 'm', time: '2026-03-02T08:00:00Z', ...changes }, 'row');

  it('are nobody’s task while shelved, with reason and end', () => {
    const shelved = row({ state: 'shelved', shelved_until: '2026-03-02T09:00:00Z', shelved_reason: 'nettoyage', shelved_by: 'Ana' });
    expect(shelved).toMatchObject({ isAcknowledged: true, shelf: { by: 'Ana', reason: 'nettoyage' }, isOver: null });
    expect(row({ state: 'returned_unacknowledged' })).toMatchObject({ isAcknowledged: false, isOver: true, shelf: null });
  });

  it('replace what was known of the same life cycle, but not what came after', () => {
    const old = row({ alert_id: 1, time: '2026-03-02T07:00:00Z', state: 'unacknowledged' });
    const later = row({ alert_id: 9, time: '2026-03-02T10:00:00Z', state: 'unacknowledged' });
    const now = loadedAlerts([old, later], [row({ alert_id: 7, state: 'acknowledged' })]);
    expect(now.map(({ id }) => id).sort()).toEqual(['7', '9']);
  });
});

describe('pieces', () => {
  it('are counted as such only where each was measured once', () => {
    const history = (pieces: readonly (string | null)[]) => {
      const samples = pieces.map((piece_id, at) =>
        arrive(sampleRow({ ...sampleRowOf(`s${at}`, `2026-03-02T08:00:0${at}Z`), piece_id }, 'row'), { sentAtMs: null, receivedAtMs: 0 }),
      );
      return withSamples(useLive.getInitialState(), samples).history['ESP32_LL_01'] ?? [];
    };
    expect(isOncePerPiece(history(['p1', 'p2']))).toBe(true);
    expect(isOncePerPiece(history(['p1', 'p1']))).toBe(false);
    expect(isOncePerPiece(history(['p1', null]))).toBe(false);
  });
});

describe('shifts', () => {
  it('are the site’s, in summer and winter', () => {
    expect(shiftOf(Date.parse('2026-07-01T03:00:00Z'))).toBe('morning');
    expect(shiftOf(Date.parse('2026-01-10T03:59:00Z'))).toBe('night');
    expect(shiftOf(Date.parse('2026-01-10T12:00:00Z'))).toBe('afternoon');
    expect(shiftOf(Date.parse('2026-01-10T20:00:00Z'))).toBe('night');
  });
});

describe('studies', () => {
  const recipe = { reference: [], tolerance: 0.1, scoreMin: 0.45, volumeMm3: [1, 2] as const, oxidationMax: 0.7, freshnessMin: 0.5 };

  it('begin with the recipe’s limits and take commas', () => {
    expect(limitsOf('volume_mm3', recipe)).toEqual([1, 2]);
    expect(limitsOf('oxidation_index', recipe)).toEqual([null, 0.7]);
    expect(limitsOf('mass_g', recipe)).toEqual([null, null]);
    expect([limitIn('0,45'), limitIn(' '), limitIn('x')]).toEqual([0.45, null, null]);
  });

  it('leave as a table with limits and rules', () => {
    const point = { atMs: 0, drawn: 1, sampleId: 's', rules: [1, 4] };
    const csv = controlCsvOf({ kind: 'individuals', centre: 2, lower: 1, upper: 3, sigma: 1, points: [point], violations: 1, bucketS: null });
    expect(csv).toBe('time,value,centre,lower,upper,rules,sample_id\r\n1970-01-01T00:00:00.000Z,1,2,1,3,"1 4","s"\r\n');
  });
});
