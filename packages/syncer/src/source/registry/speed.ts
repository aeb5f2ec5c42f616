/** Over how long the speed of a body is taken, in milliseconds. */
export const SPEED_WINDOW_MS = 60_000;

/**
 * Watches a body that comes, for a source that drips: silence is ended by a timeout, a byte now and then is not. Returns
 * what is told of every piece, and says whether less than `minSpeed` bytes per second came in a window that is over.
 */
export function createSpeedGuard(
  minSpeed: number,
  now: number,
  window = SPEED_WINDOW_MS,
): (bytes: number, now: number) => boolean {
  let since = now;
  let came = 0;
  return (bytes, now) => {
    came += bytes;
    const elapsed = now - since;
    if (elapsed < window) return false;
    const isTooSlow = came * 1000 < minSpeed * elapsed;
    since = now;
    came = 0;
    return isTooSlow;
  };
}
