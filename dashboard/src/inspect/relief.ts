/**
 * A height map as a surface in space, seen from any side; pure, so that a test can look at it.
 *
 * Drawn by ourselves, back to front, on a plain canvas: a field of 8 x 8 heights needs neither WebGL nor a library of half
 * a megabyte, and so it also shows on wall displays and remote desktops without 3-D graphics.
 */
export const SIDE = 8;
/** Each zone is divided this often, so that the surface looks like one. */
const STEPS = 4;
const POINTS = (SIDE - 1) * STEPS + 1;
/** Height of the highest point beside the width of the map: relief is shown steeper than it is. */
const RISE = 0.55;

export interface View {
  /** Turn about the vertical, radians. */
  readonly yaw: number;
  /** Tilt from above, radians: 0 looks along the belt. */
  readonly pitch: number;
}

export interface Facet {
  /** Four corners in the plane of the picture, x to the right and y down, within about ±0.8. */
  readonly corners: readonly (readonly [number, number])[];
  /** Mean height of its corners, mm. */
  readonly heightMm: number;
  /** How much light falls on it, 0 to 1. */
  readonly light: number;
  readonly depth: number;
}

type Point = readonly [number, number, number];

/** Height between the zones, or null where one of those around it has no target. */
function heightAt(zonesMm: readonly (number | null)[], row: number, column: number): number | null {
  const [top, left] = [Math.min(Math.floor(row), SIDE - 2), Math.min(Math.floor(column), SIDE - 2)];
  const zone = (r: number, c: number) => zonesMm[(top + r) * SIDE + left + c] ?? null;
  const [a, b, c, d] = [zone(0, 0), zone(0, 1), zone(1, 0), zone(1, 1)];
  if (a === null || b === null || c === null || d === null) return null;
  const [down, across] = [row - top, column - left];
  return (a * (1 - across) + b * across) * (1 - down) + (c * (1 - across) + d * across) * down;
}

function turned([x, y, z]: Point, { yaw, pitch }: View): Point {
  const right = x * Math.cos(yaw) - y * Math.sin(yaw);
  const away = x * Math.sin(yaw) + y * Math.cos(yaw);
  return [right, -(z * Math.cos(pitch)) + away * Math.sin(pitch), away * Math.cos(pitch) + z * Math.sin(pitch)];
}

/** Light from the upper left, in the room of the map. */
const SUN: Point = [-0.45, -0.35, 0.82];

function lightOn(slopeX: number, slopeY: number): number {
  const length = Math.hypot(slopeX, slopeY, 1);
  const cosine = (-slopeX * SUN[0] - slopeY * SUN[1] + SUN[2]) / length;
  return Math.min(1, Math.max(0, cosine));
}

function facetOf(grid: readonly (Point | null)[], heights: readonly (number | null)[], at: number, view: View): Facet | null {
  const places = [at, at + 1, at + POINTS + 1, at + POINTS];
  const [a, b, c, d] = places.map((place) => grid[place] ?? null);
  if (!a || !b || !c || !d) return null;
  const seen = [a, b, c, d].map((point) => turned(point, view));
  const step = b[0] - a[0];
  return {
    corners: seen.map(([x, y]) => [x, y] as const),
    heightMm: places.reduce((sum, place) => sum + (heights[place] ?? 0), 0) / places.length,
    light: lightOn((b[2] - a[2] + c[2] - d[2]) / (2 * step), (d[2] - a[2] + c[2] - b[2]) / (2 * step)),
    depth: seen.reduce((sum, [, , away]) => sum + away, 0),
  };
}

/** The surface as facets, the farthest first. `riseOf` maps a value in mm to 0 (belt) … 1 (highest). */
export function relief(zonesMm: readonly (number | null)[], riseOf: (valueMm: number) => number, view: View): readonly Facet[] {
  const heights: (number | null)[] = [];
  const grid: (Point | null)[] = [];
  for (let row = 0; row < POINTS; row += 1) {
    for (let column = 0; column < POINTS; column += 1) {
      const height = heightAt(zonesMm, row / STEPS, column / STEPS);
      heights.push(height);
      const [x, y] = [column / (POINTS - 1) - 0.5, row / (POINTS - 1) - 0.5];
      grid.push(height === null ? null : [x, y, riseOf(height) * RISE]);
    }
  }
  const facets: Facet[] = [];
  for (let row = 0; row < POINTS - 1; row += 1) {
    for (let column = 0; column < POINTS - 1; column += 1) {
      const facet = facetOf(grid, heights, row * POINTS + column, view);
      if (facet !== null) facets.push(facet);
    }
  }
  return facets.sort((a, b) => a.depth - b.depth);
}
