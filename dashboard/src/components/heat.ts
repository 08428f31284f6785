/** Values, scale and colours of the 8 x 8 map; pure, so that it can be tested without a browser. */
import type { Anomaly, TofReading } from '../domain/types';
import type { HistoryEntry } from '../stores/live';

/** From the belt to the top of a piece; even steps of lightness, readable with any colour vision (after cividis). */
const RAMP = ['#0b2545', '#24406b', '#475a78', '#6d7680', '#94927c', '#beb06b', '#e6d05a', '#fff2a8'];
const ROUND_TO_MM = 10;

type Extent = Pick<HistoryEntry, 'nearestMm' | 'farthestMm'>;

export interface HeatScale {
  readonly lowMm: number;
  readonly highMm: number;
}

export interface HeatMap {
  /** Height above the belt where its distance is known, else distance from the sensor; or how bright the surface is. */
  readonly mode: 'height' | 'distance' | 'reflectance';
  /** 64 values in mm, of reflectance in percent; row-major; null without target. */
  readonly zonesMm: readonly (number | null)[];
  readonly scale: HeatScale;
}

function extremes(values: readonly (number | null)[]): readonly [number, number] | null {
  const numbers = values.filter((value) => value !== null);
  return numbers.length === 0 ? null : [Math.min(...numbers), Math.max(...numbers)];
}

const roundDown = (value: number): number => Math.floor(value / ROUND_TO_MM) * ROUND_TO_MM;
const roundUp = (value: number): number => Math.ceil(value / ROUND_TO_MM) * ROUND_TO_MM;

/** The scale spans the recent measurements, not the single frame: colours keep their meaning from piece to piece. */
export function heatMap(tof: TofReading, recent: readonly Extent[]): HeatMap {
  const distances = tof.distanceMm.flat();
  const nearFar = extremes([...distances, ...recent.flatMap((entry) => [entry.nearestMm, entry.farthestMm])]);
  const [nearestMm, farthestMm] = nearFar ?? [0, 0];
  const belt = tof.beltDistanceMm;
  if (belt === null) {
    const lowMm = roundDown(nearestMm);
    return { mode: 'distance', zonesMm: distances, scale: { lowMm, highMm: Math.max(roundUp(farthestMm), lowMm + ROUND_TO_MM) } };
  }
  const zonesMm = distances.map((distance) => (distance === null ? null : Math.max(0, belt - distance)));
  return { mode: 'height', zonesMm, scale: { lowMm: 0, highMm: Math.max(roundUp(belt - nearestMm), ROUND_TO_MM) } };
}

const REFLECTANCE_TOP_PCT = 100;

/** How bright each zone is, from 0 to a round number above the brightest; null where the sender told none. */
export function reflectanceMap({ reflectancePct }: TofReading): HeatMap | null {
  if (reflectancePct === null) return null;
  const zonesMm = reflectancePct.flat();
  const brightest = extremes(zonesMm)?.[1] ?? 0;
  return { mode: 'reflectance', zonesMm, scale: { lowMm: 0, highMm: Math.max(roundUp(brightest), REFLECTANCE_TOP_PCT / 2) } };
}

/** Half the field of view of the sensor along a side: 45 degrees square. */
const HALF_VIEW = Math.tan(Math.PI / 8);
const ZONES = 8;
/** Lower than this above the belt is belt. */
const PIECE_MIN_MM = 8;

export interface Spot {
  readonly anomaly: Anomaly;
  /** Place on the map in zones, 0 to 8, and radius. */
  readonly x: number;
  readonly y: number;
  readonly radius: number;
}

/** Where the anomalies lie on the map; none where the belt's distance, and so the middle of the piece, is not known. */
export function spotsOn({ anomalies, beltDistanceMm, distanceMm }: TofReading): readonly Spot[] {
  if (beltDistanceMm === null || anomalies.length === 0) return [];
  const piece = distanceMm.flatMap((row, y) =>
    row.flatMap((distance, x) => (distance !== null && beltDistanceMm - distance > PIECE_MIN_MM ? [{ x: x + 0.5, y: y + 0.5, distance }] : [])),
  );
  if (piece.length === 0) return [];
  const mean = (of: (zone: (typeof piece)[number]) => number) => piece.reduce((sum, zone) => sum + of(zone), 0) / piece.length;
  const zoneMm = (2 * HALF_VIEW * mean(({ distance }) => distance)) / ZONES;
  const within = (place: number) => Math.min(ZONES - 0.2, Math.max(0.2, place));
  return anomalies.map((anomaly) => ({
    anomaly,
    x: within(mean(({ x }) => x) + anomaly.alongMm / zoneMm),
    y: within(mean(({ y }) => y) + anomaly.acrossMm / zoneMm),
    radius: Math.max(0.45, Math.sqrt(anomaly.areaMm2 / Math.PI) / zoneMm),
  }));
}

/** How high a zone stands within the scale: 0 is the belt or the farthest, 1 the highest. */
export function riseOf(valueMm: number, { mode, scale }: HeatMap): number {
  const share = (valueMm - scale.lowMm) / (scale.highMm - scale.lowMm);
  return Math.min(1, Math.max(0, mode === 'distance' ? 1 - share : share));
}

/** Colour of one zone: high above the belt is light, far from the sensor is dark. */
export const zoneColour = (valueMm: number, map: HeatMap): string => mix(riseOf(valueMm, map) * (RAMP.length - 1));

function mix(position: number): string {
  const below = Math.min(Math.floor(position), RAMP.length - 2);
  const from = RAMP[below] ?? '#000000';
  const to = RAMP[below + 1] ?? from;
  const parts = [1, 3, 5].map((at) => {
    const start = Number.parseInt(from.slice(at, at + 2), 16);
    const end = Number.parseInt(to.slice(at, at + 2), 16);
    return Math.round(start + (end - start) * (position - below));
  });
  return `rgb(${parts.join(' ')})`;
}

/** The ramp as a CSS gradient, low values first. */
export function legendGradient(mode: HeatMap['mode']): string {
  return `linear-gradient(to right, ${(mode === 'distance' ? RAMP.toReversed() : RAMP).join(', ')})`;
}
