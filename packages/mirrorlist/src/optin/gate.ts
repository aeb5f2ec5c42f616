import { createLru } from "../lru.ts";

/** How many networks are remembered, and mirrors that check in. */
const REMEMBERED = 20_000;
/** A check-in so soon after another one of the same mirror, in milliseconds, asks for the same probe. */
const SAME_PROBE_MS = 1000;
const HOUR_MS = 3_600_000;

/** Bounds on what is asked of us over HTTP, so that nobody fills the catalog. In memory: a restart forgets. */
export interface Gate {
  /**
   * Counts a request of a network (`Client.prefix`), of which there may be so many in an hour. Undefined when it may
   * pass; else the seconds until it may.
   */
  admit(prefix: string, perHour: number): number | undefined;
  /** Does a check-in of this mirror ask for another probe than the one before? */
  isNews(mirror: string): boolean;
}

/** `now` gives epoch milliseconds. */
export function createGate(now: () => number): Gate {
  /** When each network will have all of its hour again. */
  const wholeAt = createLru<string, number>(REMEMBERED);
  const checkIns = createLru<string, number>(REMEMBERED);
  return {
    // An hour's worth at once, and then as fast as the hour goes by.
    admit(prefix, perHour) {
      const cost = HOUR_MS / perHour;
      // However the clock was set: no more than an hour.
      const before = Math.min(Math.max(wholeAt.get(prefix) ?? 0, now()), now() + HOUR_MS);
      const waitMs = before + cost - now() - HOUR_MS;
      wholeAt.set(prefix, waitMs > 0 ? before : before + cost);
      return waitMs > 0 ? Math.ceil(waitMs / 1000) : undefined;
    },
    isNews(mirror) {
      const last = checkIns.get(mirror);
      if (last !== undefined && now() - last < SAME_PROBE_MS) return false;
      checkIns.set(mirror, now());
      return true;
    },
  };
}
