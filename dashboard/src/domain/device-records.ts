/** What the device pages read: a device's own words, its twin, how far a command is, its calibrations. */
import { fields, finite, flag, instant, isFields, listOf, nonNegative, oneOf, optional, text, type Fields, type Reader } from './shape';

export interface SensorWords {
  readonly chip: string;
  readonly isHealthy: boolean;
  readonly detail: string;
}

/** A device as it last spoke of itself; null is what it has not said. */
export interface Said {
  readonly id: string;
  readonly siteCode: string;
  readonly heardAtMs: number;
  readonly state: 'online' | 'stopped' | 'lost' | null;
  readonly spoolRows: number | null;
  readonly spoolBytes: number | null;
  readonly diskFreeBytes: number | null;
  readonly temperatureC: number | null;
  readonly uptimeS: number | null;
  readonly clock: string | null;
  readonly throttled: readonly string[];
  readonly counters: readonly (readonly [string, number])[];
  readonly agent: string | null;
  readonly recipe: string | null;
  readonly sensors: readonly SensorWords[];
  readonly capabilities: readonly string[];
}

const nothing: Fields = {};

const sensor: Reader<SensorWords> = (value, path) => {
  const row = fields(value, path);
  return {
    chip: text(row['chip'], `${path}.chip`),
    isHealthy: optional(flag)(row['healthy'], `${path}.healthy`) ?? true,
    detail: optional(text)(row['detail'], `${path}.detail`) ?? '',
  };
};

export const said: Reader<Said> = (value, path) => {
  const row = fields(value, path);
  const health = optional(fields)(row['health'], `${path}.health`) ?? nothing;
  const birth = optional(fields)(row['birth'], `${path}.birth`) ?? nothing;
  const clock = optional(fields)(health['clock'], `${path}.health.clock`) ?? nothing;
  const counters = Object.entries(isFields(health['counters']) ? health['counters'] : {});
  return {
    id: text(row['device_id'], `${path}.device_id`),
    siteCode: text(row['site_code'], `${path}.site_code`),
    heardAtMs: instant(row['heard_at'], `${path}.heard_at`),
    state: optional(oneOf(['online', 'stopped', 'lost'] as const))(row['state'], `${path}.state`),
    spoolRows: optional(nonNegative)(health['spool_rows'], `${path}.health.spool_rows`),
    spoolBytes: optional(nonNegative)(health['spool_bytes'], `${path}.health.spool_bytes`),
    diskFreeBytes: optional(nonNegative)(health['disk_free_bytes'], `${path}.health.disk_free_bytes`),
    temperatureC: optional(finite)(health['temperature_c'], `${path}.health.temperature_c`),
    uptimeS: optional(nonNegative)(health['uptime_s'], `${path}.health.uptime_s`),
    clock: optional(text)(clock['state'], `${path}.health.clock.state`),
    throttled: optional(listOf(text))(health['throttled'], `${path}.health.throttled`) ?? [],
    counters: counters.flatMap(([name, count]) => (typeof count === 'number' ? [[name, count] as const] : [])),
    agent: optional(text)(birth['agent'], `${path}.birth.agent`),
    recipe: optional(text)(birth['recipe'], `${path}.birth.recipe`),
    sensors: optional(listOf(sensor))(birth['sensors'], `${path}.birth.sensors`) ?? [],
    capabilities: optional(listOf(text))(birth['capabilities'], `${path}.birth.capabilities`) ?? [],
  };
};

export type Agreement = 'agrees' | 'refused' | 'waiting' | 'local';

export interface Twin {
  readonly agreement: Agreement;
  readonly desired: Fields;
  readonly desiredBy: string | null;
  readonly desiredAtMs: number | null;
  readonly settings: Fields;
  readonly errors: readonly (readonly [string, string])[];
}

export const twin: Reader<Twin> = (value, path) => {
  const row = fields(value, path);
  const reported = optional(fields)(row['reported'], `${path}.reported`) ?? nothing;
  const errors = Object.entries(isFields(reported['errors']) ? reported['errors'] : {});
  return {
    agreement: oneOf(['agrees', 'refused', 'waiting', 'local'])(row['agreement'], `${path}.agreement`),
    desired: fields(row['desired'], `${path}.desired`),
    desiredBy: optional(text)(row['desired_by'], `${path}.desired_by`),
    desiredAtMs: optional(instant)(row['desired_at'], `${path}.desired_at`),
    settings: isFields(reported['settings']) ? reported['settings'] : nothing,
    errors: errors.map(([name, reason]) => [name, String(reason)] as const),
  };
};

export const PROGRESS = ['sent', 'begun', 'done', 'refused', 'failed', 'unanswered'] as const;
export type Progress = (typeof PROGRESS)[number];

export interface CommandState {
  readonly progress: Progress;
  readonly message: string;
  readonly result: Fields;
}

export const commandState: Reader<CommandState> = (value, path) => {
  const row = fields(value, path);
  return {
    progress: oneOf(PROGRESS)(row['progress'], `${path}.progress`),
    message: typeof row['message'] === 'string' ? row['message'] : '',
    result: isFields(row['result']) ? row['result'] : nothing,
  };
};

export const isOver = (progress: Progress): boolean => progress !== 'sent' && progress !== 'begun';

export interface Calibration {
  readonly id: string;
  readonly sensor: string;
  readonly procedure: string;
  readonly atMs: number;
  readonly status: 'valid' | 'expired' | 'superseded';
  readonly daysLeft: number | null;
  readonly drifted: readonly string[];
}

export const calibrations: Reader<readonly Calibration[]> = (value, path) =>
  listOf((each, at) => {
    const row = fields(each, at);
    return {
      id: text(row['calibration_id'], `${at}.calibration_id`),
      sensor: text(row['sensor'], `${at}.sensor`),
      procedure: text(row['procedure'], `${at}.procedure`),
      atMs: instant(row['measured_at'], `${at}.measured_at`),
      status: oneOf(['valid', 'expired', 'superseded'] as const)(row['status'], `${at}.status`),
      daysLeft: optional(finite)(row['days_left'], `${at}.days_left`),
      drifted: listOf(text)(row['drifted'], `${at}.drifted`),
    };
  })(fields(value, path)['calibrations'], `${path}.calibrations`);

/** Sentences of a device that refuses, by what they begin with or hold; the page says them in its own language. */
const REFUSALS = [
  ['not_dark', /not dark/],
  ['belt_drifts', /distance drifts/],
  ['light_drifts', /light of the .* drifts/],
  ['saturates', /saturates/],
  ['covered', /no zone sees the belt|fewer than \d+ zones/],
  ['something_on_belt', /beside the plane|something is on it/],
  ['scatter', /scatter by/],
  ['wrong_body', /off by a factor/],
  ['contradict', /contradict each other/],
  ['too_few', /pieces came by/],
  ['low_white', /above the dark|swapped/],
  ['calibrate_all', /calibrate all first/],
  ['sensor_away', /no acknowledge|did not answer|absent|SDA|not started/],
  ['unknown_command', /there is no command/],
] as const;

export type Refusal = (typeof REFUSALS)[number][0];

/** What kind of refusal a device's sentence is, null where it is none that we know. */
export const refusalOf = (message: string): Refusal | null => REFUSALS.find(([, pattern]) => pattern.test(message))?.[0] ?? null;
