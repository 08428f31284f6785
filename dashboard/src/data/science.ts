/** REST calls about what grades rest on: recipes, control charts, reference pieces and tests with them. */
import { call, send, within, type Answer } from '../api';
import { fields, finite, flag, identifier, instant, listOf, nonNegative, optional, text, type Reader } from '../domain/shape';
import type { Call, Period } from './calls';

/** What a recipe says of good pieces. Ranges are null where it sets none. */
export interface Recipe {
  /** Of F1 to F8 against white, 0 to 1. */
  readonly reference: readonly number[];
  /** Spread of good pieces, decades of reflectance to both sides. */
  readonly tolerance: number;
  readonly scoreMin: number;
  readonly volumeMm3: readonly [number, number];
  readonly oxidationMax: number;
  readonly freshnessMin: number;
}

const recipe: Reader<Recipe> = (value, path) => {
  const part = (source: unknown, name: string) => fields(fields(source, path)[name], `${path}.${name}`);
  const values = part(value, 'values');
  const [tof, spectral, alerts, grades] = [part(values, 'tof'), part(values, 'spectral'), part(values, 'alerts'), part(values, 'grade_limits')];
  const number = (source: Readonly<Record<string, unknown>>, name: string) => finite(source[name], `${path}.${name}`);
  return {
    reference: listOf(nonNegative)(spectral['reference_reflectance'], `${path}.reference_reflectance`),
    tolerance: number(spectral, 'absorbance_tolerance'),
    scoreMin: number(grades, 'c'),
    volumeMm3: [number(tof, 'volume_min_mm3'), number(tof, 'volume_max_mm3')],
    oxidationMax: number(alerts, 'oxidation_high'),
    freshnessMin: number(alerts, 'freshness_low'),
  };
};

/** The recipe of a label such as `foie-gras@2`. */
export function recipeOf(label: string): Call<Recipe> {
  const [name = '', version = ''] = label.split('@');
  const path = `/api/sqal/recipes/${encodeURIComponent(name)}/${encodeURIComponent(version)}`;
  return { key: path, load: () => call(path, recipe) };
}

export const SPC_INDICES = [
  'final_score',
  'freshness_index',
  'oxidation_index',
  'surface_uniformity',
  'fat_quality_index',
  'volume_mm3',
  'mass_g',
  'thickness_mm',
  'roughness_mm',
  'delta_e',
  'belt_distance_mm',
] as const;
export type SpcIndex = (typeof SPC_INDICES)[number];
export type ChartKind = 'individuals' | 'ewma';

export interface ControlPoint {
  readonly atMs: number;
  readonly drawn: number;
  readonly sampleId: string | null;
  readonly rules: readonly number[];
}

export interface ControlChart {
  readonly kind: string;
  readonly centre: number;
  readonly lower: number;
  readonly upper: number;
  readonly sigma: number;
  readonly points: readonly ControlPoint[];
  readonly violations: number;
  /** Span of each point's mean; null where each point is a piece. */
  readonly bucketS: number | null;
}

const controlPoint: Reader<ControlPoint> = (value, path) => {
  const row = fields(value, path);
  return {
    atMs: instant(row['time'], `${path}.time`),
    drawn: finite(row['drawn'], `${path}.drawn`),
    sampleId: optional(identifier)(row['sample_id'], `${path}.sample_id`),
    rules: listOf(nonNegative)(row['rules'], `${path}.rules`),
  };
};

const controlChart: Reader<ControlChart> = (value, path) => {
  const row = fields(value, path);
  const number = (name: string) => finite(row[name], `${path}.${name}`);
  return {
    kind: text(row['kind'], `${path}.kind`),
    centre: number('centre'),
    lower: number('lower'),
    upper: number('upper'),
    sigma: number('sigma'),
    points: listOf(controlPoint)(row['points'], `${path}.points`),
    violations: nonNegative(row['violations'], `${path}.violations`),
    bucketS: optional(nonNegative)(row['bucket_s'], `${path}.bucket_s`),
  };
};

/** What a study is about; the lot's id as text, null for all. */
export interface Study {
  readonly index: SpcIndex;
  readonly deviceId: string;
  readonly lotId: string | null;
  readonly period: Period;
}

function studied({ index, deviceId, lotId, period }: Study): URLSearchParams {
  const query = new URLSearchParams({ index, device_id: deviceId });
  query.set('start_time', new Date(period.startMs).toISOString());
  query.set('end_time', new Date(period.endMs).toISOString());
  if (lotId !== null) query.set('lot_id', lotId);
  return query;
}

export function controlChartOf(study: Study, kind: ChartKind): Call<ControlChart> {
  const query = studied(study);
  query.set('kind', kind);
  const path = `/api/sqal/spc/chart?${query.toString()}`;
  return { key: path, load: () => call(path, controlChart) };
}

export interface Capability {
  readonly cp: number | null;
  readonly cpLow: number | null;
  readonly cpHigh: number | null;
  readonly cpk: number;
  readonly cpkLow: number;
  readonly cpkHigh: number;
  readonly pp: number | null;
  readonly ppk: number;
  readonly pieces: number;
  readonly isStable: boolean;
  readonly confidence: number;
}

const capability: Reader<Capability> = (value, path) => {
  const answer = fields(value, path);
  const row = fields(answer['capability'], `${path}.capability`);
  const number = (name: string) => finite(row[name], `${path}.${name}`);
  const maybe = (name: string) => optional(finite)(row[name], `${path}.${name}`);
  return {
    cp: maybe('cp'),
    cpLow: maybe('cp_low'),
    cpHigh: maybe('cp_high'),
    cpk: number('cpk'),
    cpkLow: number('cpk_low'),
    cpkHigh: number('cpk_high'),
    pp: maybe('pp'),
    ppk: number('ppk'),
    pieces: nonNegative(row['n'], `${path}.n`),
    isStable: flag(row['stable'], `${path}.stable`),
    confidence: finite(answer['confidence'], `${path}.confidence`),
  };
};

export function capabilityOf(study: Study, lower: number | null, upper: number | null): Call<Capability> {
  const query = studied(study);
  if (lower !== null) query.set('lower', String(lower));
  if (upper !== null) query.set('upper', String(upper));
  const path = `/api/sqal/spc/capability?${query.toString()}`;
  return { key: path, load: () => call(path, capability) };
}

export interface Reference {
  readonly id: string;
  readonly description: string;
  readonly siteCode: string | null;
  readonly isRetired: boolean;
}

const reference: Reader<Reference> = (value, path) => {
  const row = fields(value, path);
  return {
    id: text(row['reference_id'], `${path}.reference_id`),
    description: typeof row['description'] === 'string' ? row['description'] : '',
    siteCode: optional(text)(row['site_code'], `${path}.site_code`),
    isRetired: optional(instant)(row['retired_at'], `${path}.retired_at`) !== null,
  };
};

export const references = (): Call<readonly Reference[]> => ({
  key: 'references',
  load: () => call('/api/sqal/references', within('references', listOf(reference))),
});

export interface ChallengeLine {
  readonly figure: string;
  readonly expected: number | null;
  readonly tolerance: number | null;
  readonly found: number | null;
  readonly isPassed: boolean | null;
}

/** A challenge test on record. `isPassed` is null for one that decided nothing. */
export interface Challenge {
  readonly id: string;
  readonly request: string | null;
  readonly referenceId: string;
  readonly takenAtMs: number;
  readonly isPassed: boolean | null;
  readonly refused: string | null;
  readonly lines: readonly ChallengeLine[];
}

const challengeLine: Reader<ChallengeLine> = (value, path) => {
  const row = fields(value, path);
  const number = (name: string) => optional(finite)(row[name], `${path}.${name}`);
  return {
    figure: text(row['figure'], `${path}.figure`),
    expected: number('expected'),
    tolerance: number('tolerance'),
    found: number('found'),
    isPassed: optional(flag)(row['passed'], `${path}.passed`),
  };
};

const challenge: Reader<Challenge> = (value, path) => {
  const row = fields(value, path);
  return {
    id: identifier(row['challenge_id'], `${path}.challenge_id`),
    request: optional(identifier)(row['request'], `${path}.request`),
    referenceId: text(row['reference_id'], `${path}.reference_id`),
    takenAtMs: instant(row['taken_at'], `${path}.taken_at`),
    isPassed: optional(flag)(row['passed'], `${path}.passed`),
    refused: optional(text)(row['refused'], `${path}.refused`),
    lines: optional(listOf(challengeLine))(row['lines'], `${path}.lines`) ?? [],
  };
};

/** The newest tests of a device. */
export function challengesOf(deviceId: string): Call<readonly Challenge[]> {
  const path = `/api/sqal/challenges?${new URLSearchParams({ device_id: deviceId, limit: '5' }).toString()}`;
  return { key: path, load: () => call(path, within('challenges', listOf(challenge))) };
}

export interface StartedChallenge {
  readonly request: string;
  readonly expiresAtMs: number;
}

const started: Reader<StartedChallenge> = (value, path) => {
  const row = fields(value, path);
  return { request: text(row['request'], `${path}.request`), expiresAtMs: instant(row['expires_at'], `${path}.expires_at`) };
};

export const startChallenge = (deviceId: string, referenceId: string): Promise<Answer<StartedChallenge>> =>
  send('/api/sqal/challenges/start', started, { device_id: deviceId, reference_id: referenceId, tile_in_place: true });
