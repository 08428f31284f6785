/** The page's monotonic clock as React sees it: one timer for everything that shows an age. */
import { useSyncExternalStore } from 'react';

const TICK_MS = 500;
const listeners = new Set<() => void>();
let nowMs = performance.now();
let timer: ReturnType<typeof setInterval> | undefined;

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(() => {
    nowMs = performance.now();
    for (const notify of listeners) notify();
  }, TICK_MS);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

export const useNow = (): number => useSyncExternalStore(subscribe, () => nowMs);

const MINUTE_MS = 60_000;
const currentMinute = (): number => Math.floor((performance.timeOrigin + nowMs) / MINUTE_MS) * MINUTE_MS;

/** Wall time to the minute, ms since 1970: enough to tell today from yesterday. */
export const useMinute = (): number => useSyncExternalStore(subscribe, currentMinute);
