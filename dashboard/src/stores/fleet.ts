/** The devices of the registry and the key figures of the day, with the last error of each call. */
import { create } from 'zustand';
import type { Device, DeviceState, Overview } from '../domain/types';

export interface FleetState {
  readonly devices: readonly Device[];
  /** What the live stream said of devices since the page was opened. */
  readonly deviceStates: Readonly<Record<string, DeviceState>>;
  readonly isLoaded: boolean;
  readonly overview: Overview | null;
  readonly devicesError: string | null;
  readonly overviewError: string | null;
  readonly alertsError: string | null;
  readonly setDevices: (devices: readonly Device[]) => void;
  readonly setDeviceState: (deviceId: string, state: DeviceState) => void;
  readonly setOverview: (overview: Overview) => void;
  readonly setError: (call: 'devicesError' | 'overviewError' | 'alertsError', reason: string | null) => void;
}

export const useFleet = create<FleetState>()((set) => ({
  devices: [],
  deviceStates: {},
  isLoaded: false,
  overview: null,
  devicesError: null,
  overviewError: null,
  alertsError: null,
  setDevices: (devices) => {
    set({ devices, isLoaded: true, devicesError: null });
  },
  setDeviceState: (deviceId, state) => {
    set((fleet) => ({ deviceStates: { ...fleet.deviceStates, [deviceId]: state } }));
  },
  setOverview: (overview) => {
    set({ overview, overviewError: null });
  },
  setError: (call, reason) => {
    set({ [call]: reason });
  },
}));
