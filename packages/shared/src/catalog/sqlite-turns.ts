import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { NearlayerError } from "../errors.ts";

/** How long a writer of this process waits for the others of it, in milliseconds. */
const LONGEST_MS = 30_000;

/** The end of the last turn that was given, by file. */
const lastTurns = new Map<string, Promise<void>>();

/**
 * Resolves when it is the caller's turn to write to a file, and gives what ends the turn. SQLite has writers wait by itself,
 * but on the thread: of two connections in one process, the one that waits would keep the other from ever going on.
 * Throws CATALOG_FAILED when the turn does not come within half a minute.
 */
export async function takeTurn(file: string, longestMs = LONGEST_MS): Promise<() => void> {
  const key = resolve(file);
  const before = lastTurns.get(key);
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const last = (before ?? Promise.resolve()).then(() => ended);
  lastTurns.set(key, last);
  void last.then(() => lastTurns.get(key) === last && lastTurns.delete(key));
  if (before === undefined) return end;
  const giveUp = new AbortController();
  const timeout = sleep(longestMs, "late" as const, { signal: giveUp.signal, ref: false }).catch(() => undefined);
  if ((await Promise.race([before, timeout])) === "late") {
    end();
    throw new NearlayerError("CATALOG_FAILED", `catalog ${file} is busy: this process has been writing to it for long`);
  }
  giveUp.abort();
  return end;
}
