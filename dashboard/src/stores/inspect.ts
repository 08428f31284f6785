/** Which piece a person stopped at. The line goes on beneath: nothing is held back, so nothing is missing afterwards. */
import { create } from 'zustand';
import type { HistoryEntry } from './live';

export interface InspectState {
  readonly deviceId: string | null;
  /** The frozen measurements by themselves: they stay when the strip has moved on. */
  readonly frozen: readonly HistoryEntry[];
  readonly sampleId: string | null;
  readonly isComparing: boolean;
  readonly freeze: (deviceId: string, entries: readonly HistoryEntry[], sampleId: string) => void;
  readonly step: (by: number) => void;
  readonly compare: (isComparing: boolean) => void;
  readonly resume: () => void;
}

export const useInspect = create<InspectState>()((set) => ({
  deviceId: null,
  frozen: [],
  sampleId: null,
  isComparing: false,
  freeze: (deviceId, frozen, sampleId) => {
    set({ deviceId, frozen, sampleId, isComparing: false });
  },
  step: (by) => {
    set(({ frozen, sampleId }) => {
      const at = frozen.findIndex((entry) => entry.sampleId === sampleId);
      return { sampleId: frozen[at + by]?.sampleId ?? sampleId };
    });
  },
  compare: (isComparing) => {
    set({ isComparing });
  },
  resume: () => {
    set({ deviceId: null, frozen: [], sampleId: null, isComparing: false });
  },
}));
