/**
 * For how long the queue must have been quiet, while a burst comes in, before the next sync; and for how long at the most
 * what waits is held for that, in milliseconds.
 */
const QUIET_MS = 250;
const LONGEST_HOLD_MS = 10_000;

/** So many events in a moment are a burst. */
const BURST = 20;
const MOMENT_MS = 1000;

/** How events have come in lately; times in epoch milliseconds. */
export interface Arrivals {
  /** The newest, the last of which is the last element. */
  readonly times: readonly number[];
}

/** Notes `count` events more; no more of them are remembered than are asked for. */
export function noteArrivals({ times }: Arrivals, count: number, now: number): Arrivals {
  return { times: [...times, ...Array.from({ length: Math.min(count, BURST) }, () => now)].slice(-BURST) };
}

/**
 * How long the next sync is held back, in milliseconds: an event that comes alone is synced at once; while many pour in,
 * those that follow are likely for the same repositories, and one sync is to do for them all. `dueSince` is since when the
 * oldest has been due. Pure.
 */
export function holdFor({ times }: Arrivals, dueSince: number, now: number): number {
  const [first, last] = [times[0], times.at(-1)];
  if (first === undefined || last === undefined || times.length < BURST || last - first > MOMENT_MS) return 0;
  const until = Math.min(last + QUIET_MS, dueSince + LONGEST_HOLD_MS);
  return Math.max(0, until - now);
}
