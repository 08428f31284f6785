/**
 * The guards that everything from the network passes: a reader takes an unknown value and its path, and returns the
 * typed value or throws a `ShapeError` that names the field and what is wrong with it.
 */

/** A value that doesn't have the shape it was read for. */
export class ShapeError extends Error {
  constructor(
    readonly path: string,
    readonly problem: string,
  ) {
    super(`${path}: ${problem}`);
    this.name = 'ShapeError';
  }
}

export type Fields = Readonly<Record<string, unknown>>;
export type Reader<T> = (value: unknown, path: string) => T;

export const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const fields: Reader<Fields> = (value, path) => {
  if (!isFields(value)) throw new ShapeError(path, 'is not an object');
  return value;
};

export const text: Reader<string> = (value, path) => {
  if (typeof value !== 'string' || value === '') throw new ShapeError(path, 'is not a text');
  return value;
};

export const flag: Reader<boolean> = (value, path) => {
  if (typeof value !== 'boolean') throw new ShapeError(path, 'is neither true nor false');
  return value;
};

export const finite: Reader<number> = (value, path) => {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new ShapeError(path, 'is not a number');
  return value;
};

/** A finite number from 0 upwards: counts, sizes, distances, uncertainties. */
export const nonNegative: Reader<number> = (value, path) => {
  const number = finite(value, path);
  if (number < 0) throw new ShapeError(path, 'is negative');
  return number;
};

/** A score, an index or a probability, 0 to 1. */
export const unit: Reader<number> = (value, path) => {
  const number = finite(value, path);
  if (number < 0 || number > 1) throw new ShapeError(path, 'is not between 0 and 1');
  return number;
};

/** RFC 3339, as ms since 1970; a time without a zone is UTC. */
export const instant: Reader<number> = (value, path) => {
  const written = text(value, path);
  const hasZone = /(?:z|[+-]\d\d:?\d\d)$/i.test(written);
  const parsed = Date.parse(hasZone ? written : `${written}Z`);
  if (Number.isNaN(parsed)) throw new ShapeError(path, 'is not a time');
  return parsed;
};

/** Reads one of the listed texts. */
export const oneOf =
  <T extends string>(allowed: readonly T[]): Reader<T> =>
  (value, path) => {
    const match = allowed.find((candidate) => candidate === value);
    if (match === undefined) throw new ShapeError(path, `is not one of ${allowed.join(', ')}`);
    return match;
  };

export const listOf =
  <T>(read: Reader<T>): Reader<readonly T[]> =>
  (value, path) => {
    if (!Array.isArray(value)) throw new ShapeError(path, 'is not a list');
    return value.map((item: unknown, index) => read(item, `${path}[${index}]`));
  };

/** What is absent or null becomes null; what is there must be right. */
export const optional =
  <T>(read: Reader<T>): Reader<T | null> =>
  (value, path) =>
    value === undefined || value === null ? null : read(value, path);

/** Identifiers arrive as texts or as integers; they are texts from here on. */
export const identifier: Reader<string> = (value, path) =>
  typeof value === 'number' && Number.isInteger(value) ? String(value) : text(value, path);
