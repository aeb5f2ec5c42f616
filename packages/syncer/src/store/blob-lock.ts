import { mkdirSync, rmdirSync, unlinkSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Hex, isHex } from "@nearlayer/shared/digest";
import { NearlayerError, systemCode } from "@nearlayer/shared/errors";
import { ingestDir } from "@nearlayer/shared/tree";
import { sizeOf } from "./durable.ts";
import { tryLock } from "./kernel-lock.ts";

/** How often it is looked whether another worker, here or in another process, is done with a blob. */
const POLL_MS = 20;
/** How long that one may get nowhere before the wait is given up. */
const STALL_MS = 120_000;

/** The folder of a download under way, held against every other worker of this machine. */
export interface BlobLock extends AsyncDisposable {
  readonly folder: string;
  /** Removes the folder with all that is in it, before letting go. */
  clear(): void;
}

/** `ingest/<hex>/` of a blob: `data`, `info`, and `lock`. */
export const blobFolder = (root: string, hex: Hex) => join(ingestDir(root), hex);

/** Takes the lock of a blob's download, or returns undefined when somebody has it. */
export async function tryLockBlob(root: string, hex: Hex): Promise<BlobLock | undefined> {
  const folder = blobFolder(root, hex);
  mkdirSync(folder, { recursive: true });
  const lock = await tryLock(join(folder, "lock"));
  return lock && { folder, clear: () => clearFolder(folder), [Symbol.asyncDispose]: () => lock[Symbol.asyncDispose]() };
}

/** The lock goes last: from then on the folder may be another worker's. */
function clearFolder(folder: string): void {
  for (const name of ["data", "info", "lock"]) unless(["ENOENT"], () => unlinkSync(join(folder, name)));
  unless(["ENOENT", "ENOTEMPTY"], () => rmdirSync(folder));
}

function unless(codes: readonly string[], work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!codes.includes(systemCode(error) ?? "")) throw error;
  }
}

/**
 * Waits for the lock of a blob's download, or until `isDone` says that there is nothing left to do. Throws STORE_LOCKED
 * when the one who has it gets nowhere: whoever waits must not hang with it.
 */
export async function lockBlob(
  root: string,
  hex: Hex,
  isDone: () => boolean,
  signal?: AbortSignal,
): Promise<BlobLock | undefined> {
  let progress: number | undefined;
  for (let since = Date.now(); ; ) {
    signal?.throwIfAborted();
    const lock = await tryLockBlob(root, hex);
    // The one who had it may have been at its very end.
    if (isDone()) {
      lock?.clear();
      await lock?.[Symbol.asyncDispose]();
      return undefined;
    }
    if (lock !== undefined) return lock;
    const size = sizeOf(join(blobFolder(root, hex), "data")) ?? 0;
    if (size !== progress) since = Date.now();
    else if (Date.now() - since > STALL_MS) {
      throw new NearlayerError(
        "STORE_LOCKED",
        `another process is at sha256:${hex}, and has got nowhere for 2 minutes`,
        {
          hint: "`syncer active` shows what is under way; stop that process, and run this again",
        },
      );
    }
    progress = size;
    await sleep(POLL_MS, undefined, signal ? { signal } : {});
  }
}

/** The blobs of which a download is under way, or was broken off. */
export async function listDownloads(root: string): Promise<Hex[]> {
  try {
    const entries = await readdir(ingestDir(root), { withFileTypes: true });
    return entries.flatMap((entry) => (entry.isDirectory() && isHex(entry.name) ? [entry.name] : []));
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  }
}

/**
 * Removes what is left of downloads that nobody works on, where `isStale` says so of the folder's name and path. What
 * is under way stays. For gc; returns the removed names.
 */
export async function clearStaleDownloads(
  root: string,
  isStale: (hex: Hex, folder: string) => boolean | Promise<boolean>,
): Promise<Hex[]> {
  const removed: Hex[] = [];
  for (const hex of await listDownloads(root)) {
    if (!(await isStale(hex, blobFolder(root, hex)))) continue;
    await using lock = await tryLockBlob(root, hex);
    if (lock === undefined) continue;
    lock.clear();
    removed.push(hex);
  }
  return removed;
}
