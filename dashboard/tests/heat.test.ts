import { describe, expect, it } from 'vitest';
import { heatMap, zoneColour } from '../src/components/heat';
import { niceCeiling } from '../src/components/scale';
import { part, tofMessage } from './samples';

function reading(beltDistanceMm: number | null) {
  const event = part(tofMessage());
  if (event.kind !== 'tof') throw new Error(`read as ${event.kind}`);
  return { ...event.reading, beltDistanceMm };
}

describe('the height map', () => {
  it('shows heights above the belt where its distance is known, never below it', () => {
    const map = heatMap(reading(150), []);
    expect(map.mode).toBe('height');
    expect(map.zonesMm[0]).toBe(50);
    expect(map.zonesMm[63]).toBe(0);
    expect(map.scale).toEqual({ lowMm: 0, highMm: 50 });
  });

  it('shows distances where it is not', () => {
    const map = heatMap(reading(null), []);
    expect(map.mode).toBe('distance');
    expect(map.scale).toEqual({ lowMm: 100, highMm: 170 });
  });

  it('holds its scale over the recent measurements', () => {
    const entry = { sampleId: 'x', measuredAtMs: 0, grade: 'A', score: 1, nearestMm: 61, farthestMm: 204 } as const;
    expect(heatMap(reading(null), [entry]).scale).toEqual({ lowMm: 60, highMm: 210 });
    expect(heatMap(reading(200), [entry]).scale).toEqual({ lowMm: 0, highMm: 140 });
  });

  it('has a scale even when no zone has a target', () => {
    const empty = { ...reading(null), distanceMm: Array(8).fill(Array(8).fill(null)) as null[][] };
    expect(heatMap(empty, []).scale).toEqual({ lowMm: 0, highMm: 10 });
  });

  it('paints high light and low dark in both modes', () => {
    const height = heatMap(reading(150), []);
    const distance = heatMap(reading(null), []);
    expect(zoneColour(50, height)).toBe(zoneColour(100, distance));
    expect(zoneColour(0, height)).toBe(zoneColour(170, distance));
    expect(zoneColour(-5, height)).toBe(zoneColour(0, height));
  });
});

describe('the axis', () => {
  it.each([
    [0, 1],
    [1, 1],
    [1_200, 1_500],
    [2_710, 3_000],
    [9_001, 10_000],
    [65_535, 80_000],
  ])('of %i counts ends at %i', (value, top) => {
    expect(niceCeiling(value)).toBe(top);
  });
});
