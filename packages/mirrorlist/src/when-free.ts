import { setTimeout as sleep } from "node:timers/promises";
import { isBusy } from "@nearlayer/shared/catalog/variants";

const RETRY_MS = 20;

/**
 * Does work that writes to the catalog. SQLite has one writer at a time, and waiting inside it would hold up every
 * request: the connection that is given does not wait (`failWhenBusy`), and the waiting is done here, for as many
 * milliseconds at most.
 */
export async function whenFree<T>(work: () => Promise<T>, waitMs: number): Promise<T> {
  const deadline = performance.now() + waitMs;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isBusy(error) || performance.now() > deadline) throw error;
      await sleep(RETRY_MS);
    }
  }
}
