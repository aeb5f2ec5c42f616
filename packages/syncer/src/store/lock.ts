import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { NearlayerError } from "@nearlayer/shared/errors";
import { pubDir, storeDir } from "@nearlayer/shared/tree";
import { type KernelLock, tryLock } from "./kernel-lock.ts";

/** Held until it is disposed of, or the process ends, however it ends. */
export type StoreLock = KernelLock;

/**
 * Takes the one lock of a store, for whatever changes what is published, or removes from the store: sync, gc, delete.
 * What only adds blobs (fetch, ingest) does without it; each blob has a lock of its own (`blob-lock.ts`).
 *
 * Throws STORE_LOCKED at once, with the holder, when another process has it.
 */
export function lockStore(root: string, command: string): Promise<StoreLock> {
  return takeLock(root, "lock", command, (holder) => `the store ${storeDir(root)} is in use by ${holder}`);
}

/**
 * Takes the lock of the published tree, for who reads it for long (publish) and who removes from it (gc, delete,
 * verify --repair): what is on its way to a target must not vanish under it. What adds to the tree does without it.
 * Whoever takes both takes the store's first. Throws STORE_LOCKED likewise.
 */
export function lockTree(root: string, command: string): Promise<StoreLock> {
  return takeLock(root, "tree-lock", command, (holder) => `the tree ${pubDir(root)} is in use by ${holder}`);
}

async function takeLock(
  root: string,
  name: string,
  command: string,
  describe: (holder: string) => string,
): Promise<StoreLock> {
  const folder = storeDir(root);
  mkdirSync(folder, { recursive: true });
  const holderFile = join(folder, `${name}-holder`);
  const lock = await tryLock(join(folder, name));
  if (lock === undefined) {
    throw new NearlayerError("STORE_LOCKED", describe(readHolder(holderFile)), {
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
