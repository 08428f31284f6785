/** Rows that only the pages behind the live one read: hours, lots, events, gaps, dead letters. */
import { alertRow, deviceRow, sampleRow } from './rows';
import { fields, finite, flag, identifier, instant, listOf, nonNegative, oneOf, optional, text, unit, type Fields, type Reader } from './shape';
import { GRADES, type Alert, type Device, type Grade, type JoinedSample } from './types';

export type GradeCounts = Readonly<Record<Grade, number>>;

/** One hour of one device. */
export interface Hour {
  readonly startMs: number;
  readonly deviceId: string;
  readonly siteCode: string | null;
  readonly samples: number;
  readonly averageScore: number | null;
  readonly compliant: number;
  readonly grades: GradeCounts;
  readonly freshness: number | null;
  readonly volumeMm3: number | null;
}

export interface Hours {
  readonly hours: readonly Hour[];
  /** Whether the period holds more hours than the answer. */
  readonly isTruncated: boolean;
}

/** A registered device as its page shows it. */
export interface DeviceRecord extends Device {
  readonly line: string | null;
  readonly firmware: string | null;
  readonly agent: string | null;
  readonly lastSeenMs: number | null;
  /** Rows that wait at the device, where it tells. */
  readonly spoolRows: number | null;
  readonly clock: string | null;
}

export interface EventRecord {
  readonly id: string;
  readonly atMs: number;
  readonly deviceId: string;
  readonly kind: string;
  readonly severity: string;
  readonly reason: string | null;
  /** Of a sensor's event: which, and which others still fail. */
  readonly chip: string | null;
  readonly failing: readonly string[];
  /** Whether the device waits before it tries to mend the sensor again. */
  readonly isGivenUp: boolean;
  /** Of a simulated fault: which, and whether it begins. */
  readonly fault: string | null;
  readonly isBeginning: boolean;
}

export interface GapRecord {
  readonly id: string;
  readonly atMs: number;
  readonly deviceId: string;
  readonly lost: number;
  readonly cause: string;
}

export interface DeadLetter {
  readonly id: string;
  readonly reason: string;
  readonly detail: string;
  readonly path: string | null;
  readonly topic: string;
  readonly deviceId: string | null;
  readonly lastAtMs: number;
  readonly occurrences: number;
  readonly payloadBytes: number;
  readonly payload: string;
}

export interface DeadLetterPage {
  readonly letters: readonly DeadLetter[];
  readonly next: number | null;
}

export interface Lot {
  readonly id: number;
  readonly code: string | null;
  readonly siteCode: string | null;
  readonly samples: number;
  readonly averageScore: number;
  readonly compliancePct: number;
  readonly majority: Grade;
  readonly itm: number | null;
  readonly firstMs: number;
  readonly lastMs: number;
  readonly grades: GradeCounts;
}

export interface LotDetail {
  readonly id: number;
  readonly code: string | null;
  readonly samples: number;
  readonly averageScore: number | null;
  readonly compliancePct: number | null;
  readonly itm: number | null;
  readonly grades: GradeCounts;
  readonly newest: readonly JoinedSample[];
}

export interface SamplePage {
  readonly samples: readonly JoinedSample[];
}

const COUNT_COLUMNS: Readonly<Record<Grade, string>> = {
  'A+': 'count_a_plus',
  A: 'count_a',
  B: 'count_b',
  C: 'count_c',
  REJECT: 'count_reject',
};

function counted(source: Fields, path: string, column: (grade: Grade) => string): GradeCounts {
  const pairs = GRADES.map((grade) => [grade, nonNegative(source[column(grade)], `${path}.${column(grade)}`)] as const);
  return Object.fromEntries(pairs) as Record<Grade, number>;
}

const gradeCounts: Reader<GradeCounts> = (value, path) => counted(fields(value, path), path, (grade) => grade);

const hour: Reader<Hour> = (value, path) => {
  const row = fields(value, path);
  return {
    startMs: instant(row['bucket'], `${path}.bucket`),
    deviceId: text(row['device_id'], `${path}.device_id`),
    siteCode: optional(text)(row['site_code'], `${path}.site_code`),
    samples: nonNegative(row['sample_count'], `${path}.sample_count`),
    averageScore: optional(unit)(row['avg_quality_score'], `${path}.avg_quality_score`),
    compliant: optional(nonNegative)(row['count_compliant'], `${path}.count_compliant`) ?? 0,
    grades: counted(row, path, (grade) => COUNT_COLUMNS[grade]),
    freshness: optional(unit)(row['avg_freshness_index'], `${path}.avg_freshness_index`),
    volumeMm3: optional(nonNegative)(row['avg_volume_mm3'], `${path}.avg_volume_mm3`),
  };
};

export const hours: Reader<Hours> = (value, path) => {
  const source = fields(value, path);
  return {
    hours: listOf(hour)(source['stats'], `${path}.stats`),
    isTruncated: optional(flag)(source['truncated'], `${path}.truncated`) ?? false,
  };
};

export const deviceRecord: Reader<DeviceRecord> = (value, path) => {
  const row = fields(value, path);
  return {
    ...deviceRow(row, path),
    line: optional(text)(row['line'], `${path}.line`),
    firmware: optional(text)(row['firmware_version'], `${path}.firmware_version`),
    agent: optional(text)(row['agent'], `${path}.agent`),
    lastSeenMs: optional(instant)(row['last_seen'], `${path}.last_seen`),
    spoolRows: optional(nonNegative)(row['spool_rows'], `${path}.spool_rows`),
    clock: optional(text)(row['clock_state'], `${path}.clock_state`),
  };
};

/** What a device adds to an event is its own affair: read where it is as expected, otherwise left out. */
const textOrNull = (value: unknown): string | null => (typeof value === 'string' ? value : null);

export const eventRecord: Reader<EventRecord> = (value, path) => {
  const row = fields(value, path);
  const reason = optional(fields)(row['reason'], `${path}.reason`);
  const data = optional(fields)(row['data'], `${path}.data`) ?? {};
  const deviceId = text(row['device_id'], `${path}.device_id`);
  return {
    id: `${deviceId} ${identifier(row['boot_id'], `${path}.boot_id`)} ${identifier(row['seq'], `${path}.seq`)}`,
    atMs: instant(row['time'], `${path}.time`),
    deviceId,
    kind: text(row['kind'], `${path}.kind`),
    severity: text(row['severity'], `${path}.severity`),
    reason: reason === null ? null : text(reason['code'], `${path}.reason.code`),
    chip: textOrNull(data['chip']),
    failing: Array.isArray(data['failing']) ? data['failing'].filter((chip) => typeof chip === 'string') : [],
    isGivenUp: data['rung'] === 'given up',
    fault: textOrNull(data['fault']),
    isBeginning: data['on'] === true,
  };
};

export const gapRecord: Reader<GapRecord> = (value, path) => {
  const row = fields(value, path);
  const first = nonNegative(row['first_seq'], `${path}.first_seq`);
  const deviceId = text(row['device_id'], `${path}.device_id`);
  return {
    id: `${deviceId} ${identifier(row['boot_id'], `${path}.boot_id`)} ${first}`,
    atMs: instant(row['time'], `${path}.time`),
    deviceId,
    lost: nonNegative(row['last_seq'], `${path}.last_seq`) - first + 1,
    cause: text(row['reason'], `${path}.reason`),
  };
};

const asText: Reader<string> = (value) => (typeof value === 'string' ? value : '');

const deadLetter: Reader<DeadLetter> = (value, path) => {
  const row = fields(value, path);
  return {
    id: identifier(row['dead_letter_id'], `${path}.dead_letter_id`),
    reason: text(row['reason'], `${path}.reason`),
    detail: asText(row['detail'], `${path}.detail`),
    path: optional(asText)(row['path'], `${path}.path`),
    topic: asText(row['topic'], `${path}.topic`),
    deviceId: optional(text)(row['device_id'], `${path}.device_id`),
    lastAtMs: instant(row['last_at'], `${path}.last_at`),
    occurrences: nonNegative(row['occurrences'], `${path}.occurrences`),
    payloadBytes: nonNegative(row['payload_bytes'], `${path}.payload_bytes`),
    payload: asText(row['payload_text'] ?? row['payload_base64'], `${path}.payload_text`),
  };
};

export const deadLetterPage: Reader<DeadLetterPage> = (value, path) => {
  const source = fields(value, path);
  return {
    letters: listOf(deadLetter)(source['dead_letters'], `${path}.dead_letters`),
    next: optional(nonNegative)(source['next'], `${path}.next`),
  };
};

export const lot: Reader<Lot> = (value, path) => {
  const row = fields(value, path);
  return {
    id: nonNegative(row['lot_id'], `${path}.lot_id`),
    code: optional(text)(row['code_lot'], `${path}.code_lot`),
    siteCode: optional(text)(row['site_code'], `${path}.site_code`),
    samples: nonNegative(row['nb_echantillons'], `${path}.nb_echantillons`),
    averageScore: unit(row['score_qualite_moyen'], `${path}.score_qualite_moyen`),
    compliancePct: nonNegative(row['taux_conformite_pct'], `${path}.taux_conformite_pct`),
    majority: oneOf(GRADES)(row['grade_majoritaire'], `${path}.grade_majoritaire`),
    itm: optional(finite)(row['itm'], `${path}.itm`),
    firstMs: instant(row['premier_echantillon'], `${path}.premier_echantillon`),
    lastMs: instant(row['dernier_echantillon'], `${path}.dernier_echantillon`),
    grades: gradeCounts(row['distribution_grades'], `${path}.distribution_grades`),
  };
};

export const lotDetail: Reader<LotDetail> = (value, path) => {
  const row = fields(value, path);
  const registered = optional(fields)(row['lot'], `${path}.lot`);
  return {
    id: nonNegative(row['lot_id'], `${path}.lot_id`),
    code: registered === null ? null : optional(text)(registered['code_lot'], `${path}.lot.code_lot`),
    samples: nonNegative(row['total_samples'], `${path}.total_samples`),
    averageScore: optional(unit)(row['avg_quality_score'], `${path}.avg_quality_score`),
    compliancePct: optional(nonNegative)(row['compliance_rate_pct'], `${path}.compliance_rate_pct`),
    itm: optional(finite)(row['itm'], `${path}.itm`),
    grades: gradeCounts(row['grade_distribution'], `${path}.grade_distribution`),
    newest: listOf(sampleRow)(row['samples'], `${path}.samples`),
  };
};

export const samplePage: Reader<SamplePage> = (value, path) => ({
  samples: listOf(sampleRow)(fields(value, path)['samples'], `${path}.samples`),
});

export interface AlertPage {
  readonly alerts: readonly Alert[];
  readonly isTruncated: boolean;
}

export const alertPage: Reader<AlertPage> = (value, path) => {
  const source = fields(value, path);
  return {
    alerts: listOf(alertRow)(source['alerts'], `${path}.alerts`),
    isTruncated: optional(flag)(source['truncated'], `${path}.truncated`) ?? false,
  };
};
