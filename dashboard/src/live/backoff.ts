/** How long to wait before the next try: doubling, with jitter, so that fifty pages don't return in one wave. */

const FIRST_MS = 500;
/** The live path must be back within 10 s of a fault's end: two tries fit. */
export const LONGEST_MS = 5_000;

/** Milliseconds before try number `attempt` (1, 2, …); `random` gives 0 to 1. */
export function backoffMs(attempt: number, random: () => number): number {
  const full = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt - 1, 10));
  return Math.round(full * (0.5 + random() / 2));
}
