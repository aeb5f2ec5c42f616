import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Digest, fromHex, type Hex, hexOf } from "@nearlayer/shared/digest";
import { NearlayerError } from "@nearlayer/shared/errors";
import { isDiskFull } from "@nearlayer/shared/exit";
import { ingestDir, storeBlobPath } from "@nearlayer/shared/tree";
import { ensureFolder, renameInto, sizeOf, syncFolder } from "./durable.ts";

/**
 * The modification time of every blob, in seconds: 1 January 2016. It never changes, so that no rsync looks at a file
 * again whose content cannot change.
 */
export const BLOB_MTIME = 1_451_606_400;
const BLOB_MODE = 0o444;

/** What is wanted: bytes with this digest and size; `ref` says what for, to people. */
export interface Wanted {
  readonly digest: Digest;
  readonly size: number;
  readonly ref: string;
}

/** Bytes from `offset` on: what was asked for, or 0 when the giver begins again. */
export interface Given {
  readonly offset: number;
  readonly body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/**
 * Brings one blob into the store: writes it under `ingest/<hex>/`, hashing as it comes, and gives it its name only once
 * it is whole, right and flushed. What an earlier, killed run had written is hashed and kept; `give` is told from where
 * to go on. Returns the number of bytes that came.
 *
 * Throws SIZE_MISMATCH or DIGEST_MISMATCH, and then starts from nothing the next time.
 */
export async function ingest(
  root: string,
  wanted: Wanted,
  give: (offset: number, write: (given: Given) => Promise<void>) => Promise<void>,
): Promise<number> {
  const path = storeBlobPath(root, wanted.digest);
  if ((await sizeOf(path)) === wanted.size) return 0;
  const folder = join(ingestDir(root), hexOf(wanted.digest));
  const file = join(folder, "data");
  await ensureFolder(folder);
  let received = 0;
  const handle = await open(file, "a+");
  try {
    let { hash, offset } = await resume(handle, file, wanted.size);
    await give(offset, async (given) => {
      if (given.offset !== offset) {
        if (given.offset !== 0) throw new Error(`asked for bytes from ${offset}, was given them from ${given.offset}`);
        await handle.truncate(0);
        hash = createHash("sha256");
        offset = 0;
      }
      received = await write(handle, hash, given.body, wanted, offset);
      offset += received;
    });
    if (offset !== wanted.size) {
      // Not thrown away: what came may well be the right beginning.
      throw new NearlayerError("SIZE_MISMATCH", `${wanted.ref}: ended after ${offset} of ${wanted.size} bytes`);
    }
    const actual = fromHex(hash.digest("hex") as Hex);
    if (actual !== wanted.digest) {
      await rm(folder, { recursive: true, force: true });
      throw new NearlayerError("DIGEST_MISMATCH", `${wanted.ref}: the bytes are ${actual}, not ${wanted.digest}`);
    }
    await handle.chmod(BLOB_MODE);
    await handle.utimes(BLOB_MTIME, BLOB_MTIME);
    await handle.sync();
  } catch (error) {
    if (isDiskFull(error)) {
      throw new NearlayerError("DISK_FULL", `no space left for ${wanted.ref}, ${wanted.size} bytes, in ${root}`, {
        cause: error,
        hint: "free some space and run the same command again: it goes on where it stopped",
      });
    }
    throw error;
  } finally {
    await handle.close();
  }
  await renameInto(file, path);
  await syncFolder(dirname(path));
  await rm(folder, { recursive: true, force: true });
  return received;
}

/** Hashes what is already there. A file that is not shorter than the whole is of no use and is emptied. */
async function resume(handle: FileHandle, file: string, size: number): Promise<{ hash: Hash; offset: number }> {
  const hash = createHash("sha256");
  const { size: offset } = await handle.stat();
  if (offset === 0) return { hash, offset };
  if (offset >= size) {
    await handle.truncate(0);
    return { hash, offset: 0 };
  }
  for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024 })) hash.update(chunk as Uint8Array);
  return { hash, offset };
}

async function write(
  handle: FileHandle,
  hash: Hash,
  body: Given["body"],
  { ref, size, digest }: Wanted,
  offset: number,
): Promise<number> {
  let received = 0;
  for await (const chunk of body) {
    received += chunk.length;
    if (offset + received > size) {
      await handle.truncate(0);
      throw new NearlayerError("SIZE_MISMATCH", `${ref}: ${digest} has more than its ${size} bytes`);
    }
    // The write goes on in a thread of its own while this one hashes.
    const written = handle.appendFile(chunk);
    hash.update(chunk);
    await written;
  }
  return received;
}
