import { randomUUID } from "node:crypto";
import { closeSync, fchmodSync, futimesSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Digest, digestOf } from "@nearlayer/shared/digest";
import { NearlayerError, systemCode } from "@nearlayer/shared/errors";
import { isDiskFull } from "@nearlayer/shared/exit";
import { ingestDir, storeBlobPath } from "@nearlayer/shared/tree";
import { ensureFolder, type FlushLater, flush, sizeOf, syncFolder } from "./durable.ts";

/**
 * The modification time of every blob, in seconds: 1 January 2016. It never changes, so that no rsync looks at a file
 * again whose content cannot change.
 */
export const BLOB_MTIME = 1_451_606_400;
export const BLOB_MODE = 0o444;

/** What is wanted: bytes with this digest and, where it is known, size; `ref` says what for, to people. */
export interface Wanted {
  readonly digest: Digest;
  readonly size?: number | undefined;
  readonly ref: string;
}

/** Makes a whole and right file what every blob is, on disk, before it gets a blob's name. */
export async function seal(descriptor: number): Promise<void> {
  fchmodSync(descriptor, BLOB_MODE);
  futimesSync(descriptor, BLOB_MTIME, BLOB_MTIME);
  await flush(descriptor);
}

/** Gives a sealed file its blob's name: durably, or once the folder that is noted has been flushed. */
export async function place(file: string, path: string, flushLater?: FlushLater): Promise<void> {
  try {
    renameSync(file, path);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    await ensureFolder(dirname(path), flushLater);
    renameSync(file, path);
  }
  if (flushLater === undefined) await syncFolder(dirname(path));
  else flushLater.add(dirname(path));
}

/** Has the store got the blob? One look at its name and size. */
export function hasBlob(root: string, { digest, size }: Wanted): boolean {
  const found = sizeOf(storeBlobPath(root, digest));
  return found !== undefined && (size === undefined || found === size);
}

/**
 * Brings a blob into the store whose bytes are in memory: nothing to resume and nothing to wait for, so that it needs no
 * lock; whoever puts the same bytes at the same time puts the same file. Returns whether it
 * was missing. Throws as `ingest` does.
 */
export async function putBlob(
  root: string,
  wanted: Wanted,
  bytes: Uint8Array,
  flushLater?: FlushLater,
): Promise<boolean> {
  if (hasBlob(root, wanted)) return false;
  const actual = digestOf(bytes);
  if (actual !== wanted.digest) throw mismatch(wanted, actual);
  const file = join(ingestDir(root), `put-${randomUUID()}`);
  try {
    await ensureFolder(ingestDir(root));
    const descriptor = openSync(file, "wx");
    try {
      writeFileSync(descriptor, bytes);
      await seal(descriptor);
    } finally {
      closeSync(descriptor);
    }
    await place(file, storeBlobPath(root, wanted.digest), flushLater);
    return true;
  } catch (error) {
    rmSync(file, { force: true });
    throw explainFull(error, root, wanted);
  }
}

export function mismatch({ ref, digest }: Wanted, actual: Digest): NearlayerError {
  return new NearlayerError("DIGEST_MISMATCH", `${ref}: the bytes are ${actual}, not ${digest}`);
}

/** A full disk in terms of the blob that found no place; every other error as it is. */
export function explainFull(error: unknown, root: string, { ref, size }: Wanted): unknown {
  if (!isDiskFull(error)) return error;
  const bytes = size === undefined ? "" : `, ${size} bytes`;
  return new NearlayerError("DISK_FULL", `no space left for ${ref}${bytes}, in ${root}`, {
    cause: error,
    hint: "free some space and run the same command again: it goes on where it stopped",
  });
}
