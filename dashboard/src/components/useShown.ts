/** What the filters let through. */
import { useMemo } from 'react';
import type { Alert, Device, FusionResult } from '../domain/types';
import { useAlerts } from '../stores/alerts';
import { useFleet } from '../stores/fleet';
import { useLive } from '../stores/live';
import { usePreferences } from '../stores/preferences';

/** Registered devices and those that only the live stream knows, by site and name. */
export function useDevices(): readonly Device[] {
  const registered = useFleet((state) => state.devices);
  const streaming = useLive((state) => Object.keys(state.latestFusion).sort().join('\n'));
  return useMemo(() => {
    const known = new Set(registered.map((device) => device.id));
    const fusions = useLive.getState().latestFusion;
    const extra = streaming
      .split('\n')
      .filter((id) => id !== '' && !known.has(id))
      .map((id) => ({ id, name: null, siteCode: fusions[id]?.siteCode ?? null, status: null }));
    const order = (device: Device) => `${device.siteCode ?? '~'} ${device.id}`;
    return [...registered, ...extra].sort((a, b) => order(a).localeCompare(order(b)));
  }, [registered, streaming]);
}

/** The devices whose newest measurement belongs to a lot. */
const devicesOf = (fusions: Readonly<Record<string, FusionResult>>, lotId: string): readonly string[] =>
  Object.values(fusions).flatMap((fusion) => (String(fusion.lotId) === lotId ? [fusion.deviceId] : []));

export function useShownDevices(): readonly Device[] {
  const devices = useDevices();
  const siteCode = usePreferences((state) => state.siteCode);
  const deviceId = usePreferences((state) => state.deviceId);
  const lotId = usePreferences((state) => state.lotId);
  // A text, for a list would be a new one with every sample.
  const ofLot = useLive(({ latestFusion }) => (lotId === null ? '' : devicesOf(latestFusion, lotId).join('\n')));
  return useMemo(() => {
    const onLot = new Set(ofLot.split('\n'));
    return devices.filter(
      (device) =>
        (siteCode === null || device.siteCode === siteCode) &&
        (deviceId === null || device.id === deviceId) &&
        (lotId === null || onLot.has(device.id)),
    );
  }, [devices, siteCode, deviceId, lotId, ofLot]);
}

/** Site of an alert: its own, else its device's. */
export const alertSite = (alert: Alert, devices: readonly Device[]): string | null =>
  alert.siteCode ?? devices.find((device) => device.id === alert.deviceId)?.siteCode ?? null;

/** The alerts of what is shown, by urgency. An alert of no device belongs to its whole site. */
export function useFilteredAlerts(): readonly Alert[] {
  const alerts = useAlerts((state) => state.alerts);
  const devices = useDevices();
  const siteCode = usePreferences((state) => state.siteCode);
  const deviceId = usePreferences((state) => state.deviceId);
  return useMemo(
    () =>
      alerts.filter(
        (alert) =>
          (siteCode === null || alertSite(alert, devices) === siteCode) &&
          (deviceId === null || alert.deviceId === deviceId || alert.deviceId === null),
      ),
    [alerts, devices, siteCode, deviceId],
  );
}
