import { afterEach, describe, expect, it } from 'vitest';
import { ApiError, type Answer } from '../src/api';
import { riseOf } from '../src/components/heat';
import { ratePerMinute } from '../src/components/GradeStrip';
import { trendPath } from '../src/components/Figures';
import { zoneAfter } from '../src/components/Heatmap';
import { refresh, useQueries } from '../src/data/queries';
import { hours, type Hour } from '../src/domain/records';
import { ShapeError } from '../src/domain/shape';
import { compliancePct, groupHours, hourlyScores, regression, tally } from '../src/domain/tally';
import { relief } from '../src/inspect/relief';
import { aligned, csvOf, hourPoints, isHourly, shifted, summary } from '../src/pages/history/series';
import { pathOf, routeOf } from '../src/router/route';
import { useInspect } from '../src/stores/inspect';

const HOUR_MS = 3_600_000;
const hour = (at: number, device: string, samples: number, score: number | null, compliant = samples): Hour => ({
  startMs: at * HOUR_MS,
  deviceId: device,
  siteCode: device.slice(0, 2),
  samples,
  averageScore: score,
  compliant,
  grades: { 'A+': samples, A: 0, B: 0, C: 0, REJECT: 0 },
  freshness: null,
  volumeMm3: 50_000,
});

describe('addresses', () => {
  it.each([
    ['/', 'live', null],
    ['/sites', 'sites', null],
    ['/sites/LL/', 'sites', 'LL'],
    ['/lots/12', 'lots', '12'],
    ['/samples/a%2Fb', 'sample', 'a/b'],
    ['/samples/a/b', 'sample', 'a/b'],
    ['/history/x', 'unknown', null],
    ['/live', 'unknown', null],
    ['/samples', 'unknown', null],
    ['/sites/%', 'unknown', null],
    ['/nowhere', 'unknown', null],
  ])('%s is the page %s', (path, page, param) => {
    expect(routeOf(path)).toEqual({ page, param });
  });

  it('are made and read back alike', () => {
    expect(routeOf(pathOf('sample', 'é/ü %'))).toEqual({ page: 'sample', param: 'é/ü %' });
    expect(pathOf('live')).toBe('/');
  });
});

describe('answers', () => {
  const answer = (value: string): Answer<string> => ({ value, serverTimeMs: null });
  afterEach(() => {
    useQueries.setState({ entries: {} });
  });

  it('of an older call never replace those of a newer one', async () => {
    let arrive: (late: Answer<string>) => void = () => undefined;
    const late = new Promise<Answer<string>>((resolve) => {
      arrive = resolve;
    });
    const first = refresh('x', () => late);
    await refresh('x', () => Promise.resolve(answer('new')));
    arrive(answer('old'));
    await first;
    expect(useQueries.getState().entries['x']?.value).toBe('new');
  });

  it('stay when a later call fails, and say so', async () => {
    await refresh('x', () => Promise.resolve(answer('kept')));
    await refresh('x', () => Promise.reject(new ApiError('/x', 503, 'database away')));
    const entry = useQueries.getState().entries['x'];
    expect([entry?.value, entry?.error?.status, entry?.isLoading]).toEqual(['kept', 503, false]);
  });

  it('are bounded: the oldest are forgotten', async () => {
    for (let at = 0; at < 40; at += 1) await refresh(`k${at}`, () => Promise.resolve(answer(String(at))));
    expect(Object.keys(useQueries.getState().entries)).toHaveLength(24);
    expect(useQueries.getState().entries['k39']?.value).toBe('39');
  });
});

describe('hours', () => {
  const rows = [hour(1, 'LL_1', 1, 0.2, 0), hour(1, 'LL_2', 3, 0.6), hour(2, 'LL_1', 0, null), hour(3, 'MT_1', 2, 0.9)];

  it('add up by their samples, not by their averages', () => {
    const site = groupHours(rows, (row) => row.siteCode).get('LL') ?? [];
    expect(tally(site).averageScore).toBeCloseTo(0.5, 12);
    expect(compliancePct(tally(site))).toBe(75);
    expect(compliancePct(tally([]))).toBeNull();
    expect(hourlyScores(site).map(({ value }) => value)).toEqual([0.5, null].map((value) => (value === null ? null : expect.closeTo(value, 12) as number)));
  });

  it('name the field that is wrong', () => {
    expect(() => hours({ stats: [{ bucket: '2026-01-01T00:00:00Z', device_id: 'd', sample_count: -1 }] }, 'answer')).toThrow(ShapeError);
    expect(() => hours({ stats: [{ bucket: '2026-01-01T00:00:00Z', device_id: 'd', sample_count: -1 }] }, 'answer')).toThrow(
      'answer.stats[0].sample_count',
    );
  });

  it('draw a line that breaks where hours are missing', () => {
    const path = trendPath([0, 1, 5].map((at) => ({ atMs: at * HOUR_MS, value: 0.5 })), HOUR_MS);
    expect([path.split('M').length - 1, path.split('L').length - 1]).toEqual([2, 1]);
  });
});

describe('a regression', () => {
  it('finds the line that is there', () => {
    expect(regression([[1, 3], [2, 5], [3, 7]])).toEqual({ slope: 2, intercept: 1, r2: 1 });
  });
  it('says nothing where there is nothing to say', () => {
    expect(regression([[1, 3], [2, 5]])).toBeNull();
    expect(regression([[1, 3], [1, 5], [1, 9]])).toBeNull();
  });
});

describe('series', () => {
  const one = { name: 'a', points: [{ atMs: 1_000, value: 1 }, { atMs: 3_000, value: 3 }] };
  const other = { name: 'say "b"', points: shifted([{ atMs: 1_000, value: 9 }], 1_000) };

  it('share one axis of time', () => {
    expect(aligned([one, other])).toEqual([[1, 2, 3], [1, null, 3], [null, 9, null]]);
  });
  it('are written as a table', () => {
    expect(csvOf([one, other])).toBe(
      'time,"a","say ""b"""\r\n1970-01-01T00:00:01.000Z,1,\r\n1970-01-01T00:00:02.000Z,,9\r\n1970-01-01T00:00:03.000Z,3,\r\n',
    );
  });
  it('are told in five numbers', () => {
    expect(summary(one.points)).toEqual({ count: 2, mean: 2, deviation: Math.SQRT2, low: 1, high: 3 });
    expect(summary([])).toBeNull();
    expect(summary([{ atMs: 0, value: 4 }])?.deviation).toBeNull();
  });
  it('come from hours in the unit that is shown', () => {
    expect(hourPoints([hour(2, 'LL', 4, 0.5), hour(1, 'LL', 2, 0.7)], 'score')).toEqual([
      { atMs: HOUR_MS, value: 70 },
      { atMs: 2 * HOUR_MS, value: 50 },
    ]);
    expect(hourPoints([hour(1, 'LL', 2, 0.7)], 'volume')[0]?.value).toBe(50);
    expect([isHourly('oxidation'), isHourly('score')]).toEqual([false, true]);
  });
});

describe('the piece', () => {
  const zones = Array.from({ length: 64 }, (_, zone) => (zone === 27 ? 60 : zone === 0 ? null : 0));

  it('becomes a surface, the farthest facets first, holes where nothing was seen', () => {
    const facets = relief(zones, (value) => value / 60, { yaw: 0.6, pitch: 0.7 });
    expect(facets).toHaveLength(28 * 28 - 16);
    expect(facets.every((facet, at) => at === 0 || facet.depth >= (facets[at - 1]?.depth ?? 0))).toBe(true);
    expect(Math.max(...facets.map(({ heightMm }) => heightMm))).toBeGreaterThan(40);
    expect(facets.flatMap(({ corners }) => corners.flat()).every((value) => Math.abs(value) < 1)).toBe(true);
  });

  it('is read zone by zone with the arrow keys', () => {
    expect([zoneAfter(null, 'ArrowDown'), zoneAfter(null, 'x'), zoneAfter(0, 'ArrowUp'), zoneAfter(0, 'ArrowDown')]).toEqual([0, null, 0, 8]);
    expect([zoneAfter(63, 'ArrowRight'), zoneAfter(9, 'ArrowLeft'), zoneAfter(9, 'Tab')]).toEqual([63, 8, null]);
  });

  it('stands above the belt, or nearer to the sensor', () => {
    const base = { zonesMm: [], scale: { lowMm: 0, highMm: 100 } };
    expect(riseOf(25, { ...base, mode: 'height' })).toBe(0.25);
    expect(riseOf(25, { ...base, mode: 'distance' })).toBe(0.75);
  });
});

describe('a frozen piece', () => {
  it('stays while the strip moves on, and steps within what was frozen', () => {
    const entries = ['a', 'b', 'c'].map((sampleId) => ({ sampleId })) as unknown as Parameters<ReturnType<typeof useInspect.getState>['freeze']>[1];
    const { freeze, step, resume } = useInspect.getState();
    freeze('d', entries, 'b');
    step(1);
    step(1);
    expect(useInspect.getState().sampleId).toBe('c');
    step(-1);
    expect(useInspect.getState().sampleId).toBe('b');
    resume();
    expect(useInspect.getState()).toMatchObject({ deviceId: null, frozen: [], sampleId: null });
  });

  it('comes at a rate that needs three to be told', () => {
    expect(ratePerMinute([{ measuredAtMs: 0 }, { measuredAtMs: 1 }])).toBeNull();
    expect(ratePerMinute([0, 1_000, 2_000].map((measuredAtMs) => ({ measuredAtMs })))).toBe(60);
  });
});
