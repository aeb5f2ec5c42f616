import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "kysely";
import { type Catalog, isPostgresCatalog } from "./open.ts";

const RETRY_MS = 20;
const LONGEST_MS = 30_000;

/**
 * Makes a connection to SQLite fail at once where it would wait for another writer: SQLite waits on the only thread
 * that there is, and a server has requests to answer meanwhile. `whenFree` waits instead.
 */
export async function failWhenBusy(catalog: Catalog): Promise<void> {
  if (isPostgresCatalog(catalog)) return;
  await sql`pragma busy_timeout = 0`.execute(catalog);
}

/** Did SQLite refuse because another process is writing (SQLITE_BUSY, SQLITE_LOCKED)? */
export function isBusy(error: unknown): boolean {
  for (let current = error; current instanceof Error; current = current.cause) {
    if ("errcode" in current && typeof current.errcode === "number") return [5, 6].includes(current.errcode & 0xff);
  }
  return false;
}

/**
 * Does work that writes to a catalog that fails when it is busy (`failWhenBusy`), as soon as no other process writes to it;
 * after `longestMs` of waiting it throws what that says.
 */
export async function whenFree<T>(work: () => Promise<T>, longestMs = LONGEST_MS): Promise<T> {
  const deadline = performance.now() + longestMs;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isBusy(error) || performance.now() > deadline) throw error;
      await sleep(RETRY_MS);
    }
  }
}

/**
 * Makes a connection to SQLite leave flushing to the next checkpoint: after a power failure the last commits may be
 * missing, and the file is whole all the same (https://www.sqlite.org/pragma.html#pragma_synchronous, NORMAL with a WAL).
 */
export async function flushRarely(catalog: Catalog): Promise<void> {
  if (isPostgresCatalog(catalog)) return;
  await sql`pragma synchronous = normal`.execute(catalog);
}
