import type { MirrorState } from "@nearlayer/shared/catalog/schema-network";

/** How soon after a first failure it is looked again whether a mirror is gone: a part of the interval. */
const SECOND_LOOK = 4;
/** A mirror that has been gone for long is asked at least this often, in intervals. */
const RAREST = 5;

/**
 * How long until a mirror's next turn, in ms. One that fails for the first time is asked again soon, so that it is known
 * within two intervals whether it is gone; one that is gone is asked the less often the longer it is, but after a quarter
 * of its absence, and no less than every fifth interval.
 */
export function nextTurnIn(
  interval: number,
  { state, since, isFailing }: { readonly state: MirrorState; readonly since: number; readonly isFailing: boolean },
  now: number,
): number {
  const isWaiting = state === "unreachable" || state === "pending";
  if (isWaiting) return Math.max(interval, Math.min((now - since) / 4, RAREST * interval));
  return isFailing ? interval / SECOND_LOOK : interval;
}

/** Where in an interval the first of a mirror's regular turns is, so that they do not come all at once. */
export function firstTurnIn(interval: number, seed: number): number {
  return interval * (0.1 + 0.9 * ((seed >>> 0) / 2 ** 32));
}
