/** How long to wait after the nth failure: twice as long each time, up to the longest, in milliseconds. */
export interface Backoff {
  readonly first: number;
  readonly longest: number;
}

/**
 * The wait after a failure; `attempt` is 1 after the first. `random` (0 to 1) takes up to a fifth away, so that what failed
 * together is not tried again together. Pure.
 */
export function waitAfter(attempt: number, { first, longest }: Backoff, random: number): number {
  const full = Math.min(longest, first * 2 ** Math.min(attempt - 1, 40));
  return Math.round(full * (1 - random / 5));
}
