/**
 * The newest whole sample of each device and its last grades.
 *
 * The three `latest…` maps of a device always hold parts of one and the same sample: they change together, in one update.
 */
import { create } from 'zustand';
import type { FusionResult, Grade, JoinedSample, SpectralReading, TofReading } from '../domain/types';
import type { ArrivedSample } from '../live/joiner';

/** Grades shown in a card's strip, and the span over which the height scale is held steady. */
export const HISTORY_MAX = 30;

export interface HistoryEntry {
  readonly sampleId: string;
  readonly measuredAtMs: number;
  readonly grade: Grade;
  readonly score: number;
  readonly nearestMm: number | null;
  readonly farthestMm: number | null;
  /** The whole measurement, to be looked at when a person stops at it. */
  readonly sample: JoinedSample;
}

/** When the shown sample came, on the page's monotonic clock, and how old it was then. */
export interface Arrival {
  readonly receivedAtMs: number;
  readonly ageAtReceiptMs: number;
  readonly measuredAtMs: number;
}

export interface LiveState {
  readonly latestVL53L8CH: Readonly<Record<string, TofReading>>;
  readonly latestAS7341: Readonly<Record<string, SpectralReading>>;
  readonly latestFusion: Readonly<Record<string, FusionResult>>;
  readonly arrivals: Readonly<Record<string, Arrival>>;
  readonly history: Readonly<Record<string, readonly HistoryEntry[]>>;
  readonly publish: (samples: readonly ArrivedSample[]) => void;
}

function entryOf({ sample, measuredAtMs }: ArrivedSample): HistoryEntry {
  const distances = sample.tof.distanceMm.flat().filter((distance) => distance !== null);
  return {
    sampleId: sample.fusion.sampleId,
    measuredAtMs,
    grade: sample.fusion.grade,
    score: sample.fusion.score.value,
    nearestMm: distances.length === 0 ? null : Math.min(...distances),
    farthestMm: distances.length === 0 ? null : Math.max(...distances),
    sample,
  };
}

/** Adds entries, each sample once, in order of measurement, the newest `HISTORY_MAX` kept. */
export function mergeHistory(known: readonly HistoryEntry[], added: readonly HistoryEntry[]): readonly HistoryEntry[] {
  const bySample = new Map(known.map((entry) => [entry.sampleId, entry]));
  for (const entry of added) bySample.set(entry.sampleId, entry);
  return [...bySample.values()].sort((a, b) => a.measuredAtMs - b.measuredAtMs).slice(-HISTORY_MAX);
}

/** Whether each piece was measured once: then measurements may be counted as pieces. */
export function isOncePerPiece(entries: readonly HistoryEntry[]): boolean {
  const pieces = entries.flatMap(({ sample }) => sample.fusion.pieceId ?? []);
  return pieces.length === entries.length && new Set(pieces).size === pieces.length;
}

/** A live sample always shows; one from the backlog or the database only where it isn't older than what is shown. */
export function replaces(next: ArrivedSample, shown: Arrival | undefined): boolean {
  return shown === undefined || !next.sample.fusion.isBacklog || next.measuredAtMs >= shown.measuredAtMs;
}

function show(state: LiveState, arrived: ArrivedSample): LiveState {
  const { tof, spectral, fusion } = arrived.sample;
  const device = fusion.deviceId;
  const { receivedAtMs, ageAtReceiptMs, measuredAtMs } = arrived;
  return {
    ...state,
    latestVL53L8CH: { ...state.latestVL53L8CH, [device]: tof },
    latestAS7341: { ...state.latestAS7341, [device]: spectral },
    latestFusion: { ...state.latestFusion, [device]: fusion },
    arrivals: { ...state.arrivals, [device]: { receivedAtMs, ageAtReceiptMs, measuredAtMs } },
  };
}

/** What the state becomes with these samples; pure, so that a test can feed it anything. */
export function withSamples(state: LiveState, samples: readonly ArrivedSample[]): LiveState {
  let next = state;
  const added = new Map<string, HistoryEntry[]>();
  for (const arrived of samples) {
    const device = arrived.sample.fusion.deviceId;
    added.set(device, [...(added.get(device) ?? []), entryOf(arrived)]);
    if (replaces(arrived, next.arrivals[device])) next = show(next, arrived);
  }
  const history = { ...next.history };
  for (const [device, entries] of added) history[device] = mergeHistory(history[device] ?? [], entries);
  return { ...next, history };
}

export const useLive = create<LiveState>()((set) => ({
  latestVL53L8CH: {},
  latestAS7341: {},
  latestFusion: {},
  arrivals: {},
  history: {},
  publish: (samples) => {
    if (samples.length > 0) set((state) => withSamples(state, samples));
  },
}));
