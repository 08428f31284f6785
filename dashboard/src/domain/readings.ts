/** Readers for the parts that live messages and stored rows have in common. */
import { fields, finite, isFields, listOf, nonNegative, optional, ShapeError, text, type Fields, type Reader } from './shape';
import { CHANNELS, type Channel, type Matrix, type Measured, type Reason, type ReasonParams } from './types';

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
