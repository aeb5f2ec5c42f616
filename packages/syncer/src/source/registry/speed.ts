/** Over how long the speed of a body is taken, in milliseconds. */
export const SPEED_WINDOW_MS = 60_000;

/**
 * Watches a body that comes, for a source that drips: silence is ended by a timeout, a byte now and then is not. Returns
 * what is told of every piece, with the milliseconds that it was waited for (and no others: whoever takes the pieces may
 * be slow); it says whether less than `minSpeed` bytes per second came in a window that is over.
 */
export function createSpeedGuard(
  minSpeed: number,
  window = SPEED_WINDOW_MS,
): (bytes: number, waited: number) => boolean {
  let elapsed = 0;
  let came = 0;
  return (bytes, waited) => {
    came += bytes;
    elapsed += waited;
    if (elapsed < window) return false;
    const isTooSlow = came * 1000 < minSpeed * elapsed;
    elapsed = 0;
    came = 0;
    return isTooSlow;
  };
}
