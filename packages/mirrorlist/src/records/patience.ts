import { setTimeout as sleep } from "node:timers/promises";

/** How long, in ms, a page waits for the catalog. */
export const PATIENCE_MS = 1000;

/** What the work comes to, or undefined when that takes longer, or fails. The work goes on. */
export async function within<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
  const patience = new AbortController();
  const late = sleep(ms, undefined, { ref: false, signal: patience.signal }).catch(() => undefined);
  const done = work.catch(() => undefined);
  return Promise.race([done, late]).finally(() => patience.abort());
}
