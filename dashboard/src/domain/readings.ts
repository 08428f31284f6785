/** Readers for the parts that live messages and stored rows have in common. */
import { fields, finite, isFields, listOf, nonNegative, oneOf, optional, ShapeError, text, type Fields, type Reader } from './shape';
import {
  ANOMALIES,
  CHANNELS,
  type Anomaly,
  type Channel,
  type Colour,
  type Extents,
  type Matrix,
  type Measured,
  type Reason,
  type ReasonParams,
} from './types';

const SIDE = 8;

const zones = listOf(optional(nonNegative));

/** An 8 x 8 matrix; a zone without target is null. */
export const matrix: Reader<Matrix> = (value, path) => {
  const rows = listOf(zones)(value, path);
  if (rows.length !== SIDE || rows.some((row) => row.length !== SIDE)) throw new ShapeError(path, 'is not 8 by 8');
  return rows;
};

export const channels: Reader<Readonly<Record<Channel, number>>> = (value, path) => {
  const counts = fields(value, path);
  const pairs = CHANNELS.map((channel) => [channel, nonNegative(counts[channel], `${path}.${channel}`)] as const);
  return Object.fromEntries(pairs) as Record<Channel, number>;
};

/** The value called `name` with its uncertainty `<name>_u`, or null where the sender did not compute it. */
export function measured(source: Fields, name: string, path: string): Measured | null {
  const value = optional(finite)(source[name], `${path}.${name}`);
  if (value === null) return null;
  return { value, uncertainty: optional(nonNegative)(source[`${name}_u`], `${path}.${name}_u`) };
}

const isScalar = (value: unknown): value is string | number | boolean | null =>
  value === null || ['string', 'number', 'boolean'].includes(typeof value);

/** Parameters of a sentence: scalars only; anything deeper is left out, for no sentence can show it. */
export const params: Reader<ReasonParams> = (value) =>
  isFields(value) ? Object.fromEntries(Object.entries(value).flatMap(([key, item]) => (isScalar(item) ? [[key, item]] : []))) : {};

const reason: Reader<Reason> = (value, path) => {
  if (typeof value === 'string') return { code: text(value, path), params: {} };
  const source = fields(value, path);
  return { code: text(source['code'], `${path}.code`), params: params(source['params'], `${path}.params`) };
};

/** The reasons of a grade; older senders tell none. */
export const reasons: Reader<readonly Reason[]> = (value, path) => optional(listOf(reason))(value, path) ?? [];

export const flags: Reader<readonly string[]> = (value, path) => optional(listOf(text))(value, path) ?? [];

/** Senders count reflectance in half percents. */
const PER_PCT = 2;

/** The reflectance of the zones; older senders leave it empty. */
export const reflectance: Reader<Matrix | null> = (value, path) => {
  if (value === undefined || value === null || (Array.isArray(value) && value.length === 0)) return null;
  return matrix(value, path).map((row) => row.map((zone) => (zone === null ? null : zone / PER_PCT)));
};

const anomaly: Reader<Anomaly> = (value, path) => {
  const spot = fields(value, path);
  return {
    kind: oneOf(ANOMALIES)(spot['kind'], `${path}.kind`),
    alongMm: finite(spot['along_mm'], `${path}.along_mm`),
    acrossMm: finite(spot['across_mm'], `${path}.across_mm`),
    areaMm2: nonNegative(spot['area_mm2'], `${path}.area_mm2`),
    peak: finite(spot['peak'], `${path}.peak`),
    severity: nonNegative(spot['severity'], `${path}.severity`),
  };
};

export interface TofFindings {
  readonly anomalies: readonly Anomaly[];
  readonly extents: Extents;
}

/** What the height pictures show beyond the figures; live it lies in the analysis, stored in `details.tof`. */
export function tofFindings(source: Fields, path: string): TofFindings {
  const length = (name: string) => optional(nonNegative)(source[name], `${path}.${name}`);
  return {
    anomalies: optional(listOf(anomaly))(source['anomalies'], `${path}.anomalies`) ?? [],
    extents: { lengthMm: length('length_mm'), widthMm: length('width_mm'), thicknessMm: length('thickness_mm') },
  };
}

export interface SpectralFindings {
  readonly reflectance: readonly number[] | null;
  readonly colour: Colour | null;
  readonly deltaE: Measured | null;
}

/** What the light shows beyond the indices; live it lies in the analysis, stored in `details.spectral`. */
export function spectralFindings(source: Fields, path: string): SpectralFindings {
  const axis = (name: string) => optional(finite)(source[name], `${path}.${name}`);
  const [lightness, a, b] = [axis('lightness'), axis('a_star'), axis('b_star')];
  return {
    reflectance: optional(listOf(nonNegative))(source['reflectance'], `${path}.reflectance`),
    colour: lightness === null || a === null || b === null ? null : { lightness, a, b },
    deltaE: measured(source, 'delta_e', path),
  };
}
