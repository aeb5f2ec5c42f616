import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { messageOf, NearlayerError } from "@nearlayer/shared/errors";
import { storeDir } from "@nearlayer/shared/tree";

/** Held until it is disposed of, or the process ends, however it ends. */
export type StoreLock = Disposable;

/**
 * Takes the one lock of a store, for whatever changes it. Node has no flock(2); SQLite's exclusive transaction is the
 * same kind of kernel lock: it goes away with the process, so a killed syncer leaves nothing to clean up.
 *
 * Throws STORE_LOCKED at once, with the holder, when another process has it.
 */
export function lockStore(root: string, command: string): StoreLock {
  const folder = storeDir(root);
  mkdirSync(folder, { recursive: true });
  const holderFile = join(folder, "lock-holder");
  const database = new DatabaseSync(join(folder, "lock"), { timeout: 0 });
  try {
    database.exec("begin exclusive");
  } catch (cause) {
    database.close();
    if (!/locked|busy/i.test(messageOf(cause))) throw cause;
    throw new NearlayerError("STORE_LOCKED", `the store ${folder} is in use by ${readHolder(holderFile)}`, {
      cause,
      hint: "wait until it has ended, or stop it; the lock goes with the process",
    });
  }
  const since = new Date().toISOString();
  writeFileSync(holderFile, `${command} (process ${process.pid} on ${hostname()}, since ${since})\n`);
  return {
    [Symbol.dispose]() {
      rmSync(holderFile, { force: true });
      database.close();
    },
  };
}

function readHolder(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return "another process";
  }
}
