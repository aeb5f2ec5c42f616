import { randomUUID } from "node:crypto";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Digest, digestOf } from "@nearlayer/shared/digest";
import { NearlayerError, systemCode } from "@nearlayer/shared/errors";
import { isDiskFull } from "@nearlayer/shared/exit";
import { ingestDir, storeBlobPath } from "@nearlayer/shared/tree";
import { ensureFolder, sizeOf, syncFolder } from "./durable.ts";

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
export async function seal(handle: FileHandle): Promise<void> {
  await handle.chmod(BLOB_MODE);
  await handle.utimes(BLOB_MTIME, BLOB_MTIME);
  await handle.sync();
}

/** Gives a sealed file its blob's name, durably. */
export async function place(file: string, path: string): Promise<void> {
  try {
    await rename(file, path);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    await ensureFolder(dirname(path));
    await rename(file, path);
  }
  await syncFolder(dirname(path));
}

/** Has the store got the blob? One look at its name and size. */
export async function hasBlob(root: string, { digest, size }: Wanted): Promise<boolean> {
  const found = await sizeOf(storeBlobPath(root, digest));
  return found !== undefined && (size === undefined || found === size);
}

/**
 * Brings a blob into the store whose bytes are in memory: nothing to resume and nothing to wait for, so that it needs no
 * lock; whoever puts the same bytes at the same time puts the same file. Returns whether it
 * was missing. Throws as `ingest` does.
 */
export async function putBlob(root: string, wanted: Wanted, bytes: Uint8Array): Promise<boolean> {
  if (await hasBlob(root, wanted)) return false;
  const actual = digestOf(bytes);
  if (actual !== wanted.digest) throw mismatch(wanted, actual);
  const file = join(ingestDir(root), `put-${randomUUID()}`);
  try {
    await ensureFolder(ingestDir(root));
    const handle = await open(file, "wx");
    try {
      await handle.writeFile(bytes);
      await seal(handle);
    } finally {
      await handle.close();
    }
    await place(file, storeBlobPath(root, wanted.digest));
    return true;
  } catch (error) {
    await rm(file, { force: true });
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
