import { setTimeout as sleep } from "node:timers/promises";
import { isBusy } from "@nearlayer/shared/catalog/variants";

/** How often, and for how long, a catalog that another process writes to is tried again, in milliseconds. */
const POLL_MS = 20;
const LONGEST_MS = 30_000;

/**
 * Waits for SQLite's other writers without holding up the event loop, which has a broker and senders to answer: the
 * catalog must be one that fails when it is busy (`failWhenBusy`).
 */
export async function whenFree<T>(work: () => Promise<T>): Promise<T> {
  for (const started = Date.now(); ; ) {
    try {
      return await work();
    } catch (error) {
      if (!isBusy(error) || Date.now() - started > LONGEST_MS) throw error;
      await sleep(POLL_MS);
    }
  }
}
