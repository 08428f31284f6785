/**
 * Puts the three live messages of a sample together again, so that a card never mixes two samples.
 *
 * Parts may arrive in any order and interleaved with other devices. What stays incomplete is pushed out by newer samples
 * and counted; nothing waits without a bound.
 */
import type { LiveEvent } from '../domain/live-messages';
import type { FusionResult, JoinedSample, SpectralReading, TofReading } from '../domain/types';

/** Samples of one device that may wait for parts: a sender's three messages follow each other closely. */
const PENDING_PER_DEVICE_MAX = 8;

/** A whole sample and when it reached us, on the page's monotonic clock. */
export interface ArrivedSample {
  readonly sample: JoinedSample;
  readonly receivedAtMs: number;
  /** How old the measurement already was when it was sent to us; 0 where the message doesn't tell. */
  readonly ageAtReceiptMs: number;
  readonly measuredAtMs: number;
}

export type PartEvent = Extract<LiveEvent, { kind: 'tof' | 'spectral' | 'fusion' }>;

interface Pending {
  tof: TofReading | null;
  spectral: SpectralReading | null;
  fusion: FusionResult | null;
}

function addPart(pending: Pending, event: PartEvent): void {
  if (event.kind === 'tof') pending.tof = event.reading;
  else if (event.kind === 'spectral') pending.spectral = event.reading;
  else pending.fusion = event.reading;
}

/** Stamps a whole sample with its arrival; a message without a time of its own was measured when it was sent. */
export function arrive(
  sample: JoinedSample,
  times: { readonly sentAtMs: number | null; readonly receivedAtMs: number },
): ArrivedSample {
  const { tof, spectral, fusion } = sample;
  const told = fusion.measuredAtMs ?? tof.measuredAtMs ?? spectral.measuredAtMs;
  const measuredAtMs = told ?? times.sentAtMs ?? 0;
  const age = told !== null && times.sentAtMs !== null ? times.sentAtMs - told : 0;
  return { sample, receivedAtMs: times.receivedAtMs, ageAtReceiptMs: Math.max(0, age), measuredAtMs };
}

export class SampleJoiner {
  readonly #pending = new Map<string, Map<string, Pending>>();
  #incomplete = 0;

  /** Samples given up because a part never came. */
  get incomplete(): number {
    return this.#incomplete;
  }

  /** Takes one part; returns the sample when this part completes it. */
  accept(event: PartEvent, receivedAtMs: number): ArrivedSample | null {
    const { deviceId, sampleId } = event.reading;
    const waiting = this.#waiting(deviceId);
    const pending = waiting.get(sampleId) ?? { tof: null, spectral: null, fusion: null };
    addPart(pending, event);
    const { tof, spectral, fusion } = pending;
    if (tof !== null && spectral !== null && fusion !== null) {
      waiting.delete(sampleId);
      return arrive({ tof, spectral, fusion }, { sentAtMs: event.sentAtMs, receivedAtMs });
    }
    waiting.set(sampleId, pending);
    this.#trim(waiting);
    return null;
  }

  /** Forgets parts of a connection that is gone: their other parts will never come. */
  reset(): void {
    for (const waiting of this.#pending.values()) this.#incomplete += waiting.size;
    this.#pending.clear();
  }

  #waiting(deviceId: string): Map<string, Pending> {
    const known = this.#pending.get(deviceId);
    if (known !== undefined) return known;
    const made = new Map<string, Pending>();
    this.#pending.set(deviceId, made);
    return made;
  }

  #trim(waiting: Map<string, Pending>): void {
    for (const sampleId of waiting.keys()) {
      if (waiting.size <= PENDING_PER_DEVICE_MAX) return;
      waiting.delete(sampleId);
      this.#incomplete += 1;
    }
  }
}
