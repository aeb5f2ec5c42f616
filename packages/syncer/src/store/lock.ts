import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { NearlayerError } from "@nearlayer/shared/errors";
import { storeDir } from "@nearlayer/shared/tree";
import { type KernelLock, tryLock } from "./kernel-lock.ts";

/** Held until it is disposed of, or the process ends, however it ends. */
export type StoreLock = KernelLock;

/**
 * Takes the one lock of a store, for whatever changes what is published, or removes from the store: sync, publish, gc,
 * delete. What only adds blobs (fetch, ingest) does without it; each blob has a lock of its own (`blob-lock.ts`).
 *
 * Throws STORE_LOCKED at once, with the holder, when another process has it.
 */
export async function lockStore(root: string, command: string): Promise<StoreLock> {
  const folder = storeDir(root);
  mkdirSync(folder, { recursive: true });
  const holderFile = join(folder, "lock-holder");
  const lock = await tryLock(join(folder, "lock"));
  if (lock === undefined) {
    throw new NearlayerError("STORE_LOCKED", `the store ${folder} is in use by ${readHolder(holderFile)}`, {
      hint: "wait until it has ended, or stop it; the lock goes with the process",
    });
  }
  try {
    const since = new Date().toISOString();
    writeFileSync(holderFile, `${command} (process ${process.pid} on ${hostname()}, since ${since})\n`);
  } catch (error) {
    await lock[Symbol.asyncDispose]();
    throw error;
  }
  return {
    async [Symbol.asyncDispose]() {
      rmSync(holderFile, { force: true });
      await lock[Symbol.asyncDispose]();
    },
  };
}

function readHolder(file: string): string {
  try {
    return readFileSync(file, "utf8").trim() || "another process";
  } catch {
    return "another process";
  }
}
