/**
 * What the page knows: readings, alerts, devices and key figures, in its own names with units last.
 *
 * The wire's names stay in `live-messages.ts` and `rows.ts`, which turn messages and rows into these values.
 */

export const GRADES = ['A+', 'A', 'B', 'C', 'REJECT'] as const;
export type Grade = (typeof GRADES)[number];

/** The ten channels of an AS7341, in the order in which they are drawn. */
export const CHANNELS = [
  'F1_415nm',
  'F2_445nm',
  'F3_480nm',
  'F4_515nm',
  'F5_555nm',
  'F6_590nm',
  'F7_630nm',
  'F8_680nm',
  'Clear',
  'NIR',
] as const;
export type Channel = (typeof CHANNELS)[number];

export const SEVERITIES = ['info', 'warning', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** 8 x 8, row-major, scene orientation; `null` where the zone had no target. */
export type Matrix = readonly (readonly (number | null)[])[];

/** A value with its standard uncertainty in the same unit, `null` where none was sent. */
export interface Measured {
  readonly value: number;
  readonly uncertainty: number | null;
}

/** Which measurement a part belongs to. Parts are joined on device and sample. */
export interface SampleKey {
  readonly deviceId: string;
  readonly siteCode: string | null;
  readonly sampleId: string;
  /** Wall time of the measurement, ms since 1970, when the message tells it. */
  readonly measuredAtMs: number | null;
  /** Sent late from a backlog: belongs to the history, not to the live view. */
  readonly isBacklog: boolean;
}

export const ANOMALIES = ['dent', 'bump', 'foreign_body', 'bright_patch', 'dark_patch'] as const;

/** A spot that does not belong on the surface; places count from the middle of the piece, in the belt's directions. */
export interface Anomaly {
  readonly kind: (typeof ANOMALIES)[number];
  readonly alongMm: number;
  readonly acrossMm: number;
  readonly areaMm2: number;
  /** Of dents and bumps mm from the smooth surface; of patches a logarithm of brightness. */
  readonly peak: number;
  /** 0 just visible to 1 gross. */
  readonly severity: number;
}

/** Extents of the piece, mm; each null where it was not measured. */
export interface Extents {
  readonly lengthMm: number | null;
  readonly widthMm: number | null;
  readonly thicknessMm: number | null;
}

/** An estimate of the colour, CIELAB. */
export interface Colour {
  readonly lightness: number;
  readonly a: number;
  readonly b: number;
}

export interface TofReading extends SampleKey {
  readonly distanceMm: Matrix;
  /** Of the surface, percent; null where the sender told none. */
  readonly reflectancePct: Matrix | null;
  readonly anomalies: readonly Anomaly[];
  readonly extents: Extents;
  /** Distance of the empty belt, where a calibration knows it: heights are counted from it. */
  readonly beltDistanceMm: number | null;
  readonly volumeMm3: Measured | null;
  readonly massG: Measured | null;
  readonly uniformity: Measured | null;
  readonly score: number | null;
}

export interface SpectralReading extends SampleKey {
  readonly counts: Readonly<Record<Channel, number>>;
  /** Of the eight narrow channels against the white standard; null where the sender told none. */
  readonly reflectance: readonly number[] | null;
  readonly colour: Colour | null;
  /** Distance of that colour from the recipe's reference. */
  readonly deltaE: Measured | null;
  readonly freshness: Measured | null;
  readonly fatQuality: Measured | null;
  readonly oxidation: Measured | null;
  readonly score: number | null;
}

export type ReasonParams = Readonly<Record<string, string | number | boolean | null>>;

/** Why a grade was given: a code, and the values that fill its sentence. */
export interface Reason {
  readonly code: string;
  readonly params: ReasonParams;
}

export interface FusionResult extends SampleKey {
  readonly score: Measured;
  readonly grade: Grade;
  readonly gradeProbability: number | null;
  readonly isCompliant: boolean;
  readonly reasons: readonly Reason[];
  /** What made the measurement less certain, as codes. */
  readonly flags: readonly string[];
  readonly recipe: string | null;
  readonly lotId: number | null;
  /** Which piece on the belt; several measurements of one piece share it. */
  readonly pieceId: string | null;
}

/** One measurement whose three parts are all here. */
export interface JoinedSample {
  readonly tof: TofReading;
  readonly spectral: SpectralReading;
  readonly fusion: FusionResult;
}

export const ALERT_STATES = ['unacknowledged', 'returned_unacknowledged', 'acknowledged', 'shelved', 'cleared'] as const;
export type AlertState = (typeof ALERT_STATES)[number];

/** Until when an alert is silenced, by whom and why. */
export interface Shelf {
  readonly untilMs: number;
  readonly by: string | null;
  readonly reason: string | null;
}

export interface Alert {
  readonly id: string;
  /** The alert's life cycle, to which every occurrence belongs. */
  readonly alarmId: string | null;
  readonly kind: string | null;
  readonly severity: Severity;
  readonly title: string | null;
  readonly message: string;
  readonly deviceId: string | null;
  readonly siteCode: string | null;
  readonly sampleId: string | null;
  readonly raisedAtMs: number;
  /** How often it happened since it was raised, when the message tells. */
  readonly occurrences: number;
  readonly isAcknowledged: boolean;
  readonly acknowledgedBy: string | null;
  readonly comment: string | null;
  readonly shelf: Shelf | null;
  readonly state: AlertState | null;
  /** When it was raised first, when the message tells; `raisedAtMs` is the newest occurrence. */
  readonly firstAtMs: number | null;
  readonly lotId: number | null;
  /** Whether what it is about has ended, when the message tells. */
  readonly isOver: boolean | null;
  readonly context: ReasonParams;
}

export interface Device {
  readonly id: string;
  readonly name: string | null;
  readonly siteCode: string | null;
  readonly status: string | null;
}

/** Which links behind the live view stand. */
export interface Links {
  readonly database: boolean;
  readonly broker: boolean;
  /** Whether anybody stores what is measured. */
  readonly storing: boolean;
}

export const DEVICE_STATES = ['online', 'stopped', 'lost'] as const;
/** What a device last said of itself, or its broker of it: `stopped` on purpose, `lost` without a word. */
export type DeviceState = (typeof DEVICE_STATES)[number];

/** Key figures of the last 24 hours; `null` where there was nothing to average. */
export interface Overview {
  readonly samples: number;
  readonly averageScore: number | null;
  readonly compliancePct: number | null;
  readonly activeAlerts: number;
  readonly criticalAlerts: number;
  readonly activeDevices: number;
  readonly totalDevices: number;
}
