import { createHash, randomUUID } from "node:crypto";
import { type FileHandle, link, open, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { fromHex, type Hex } from "@nearlayer/shared/digest";
import { NearlayerError, systemCode } from "@nearlayer/shared/errors";
import { ingestDir, storeBlobPath } from "@nearlayer/shared/tree";
import { mismatch, place, seal, type Wanted } from "./blob-file.ts";
import { ensureFolder, type FlushLater } from "./durable.ts";

/**
 * Why a file cannot be shared: it lies on another file system, it is not ours to change, or it has as many links as a
 * file can have.
 */
const CANNOT_SHARE = new Set(["EXDEV", "EPERM", "EACCES", "EMLINK", "EROFS", "ENOTSUP"]);

/**
 * Takes a file of this machine into the store as a hardlink, once it is hashed: no byte is copied. The file and the blob
 * are one from then on, so it gets the mode and the time of a blob; its owner must never write into it (a distribution
 * registry does not: it makes files and removes them). Returns false when it cannot be shared, and must be copied.
 *
 * Throws SIZE_MISMATCH or DIGEST_MISMATCH; the file is as it was then.
 */
export async function adopt(root: string, wanted: Wanted, file: string, flushLater?: FlushLater): Promise<boolean> {
  await ensureFolder(ingestDir(root));
  if ((await stat(ingestDir(root))).dev !== (await stat(file)).dev) return false;
  const handle = await open(file, "r");
  try {
    const { size, ino } = await handle.stat();
    if (wanted.size !== undefined && size !== wanted.size) {
      throw new NearlayerError("SIZE_MISMATCH", `${wanted.ref}: ${file} has ${size} bytes, not ${wanted.size}`);
    }
    const actual = await hashOf(handle);
    if (actual !== wanted.digest) throw mismatch(wanted, actual);
    await seal(handle.fd);
    await share(file, ino, root, storeBlobPath(root, wanted.digest), flushLater);
    return true;
  } catch (error) {
    if (CANNOT_SHARE.has(systemCode(error) ?? "")) return false;
    throw error;
  } finally {
    await handle.close();
  }
}

async function hashOf(handle: FileHandle) {
  const hash = createHash("sha256");
  for await (const chunk of handle.createReadStream({ autoClose: false, highWaterMark: 1024 * 1024 })) {
    hash.update(chunk as Uint8Array);
  }
  return fromHex(hash.digest("hex") as Hex);
}

/** By way of a name of its own, so that what gets the blob's name is the file that was hashed, and no other. */
async function share(
  file: string,
  inode: number,
  root: string,
  path: string,
  flushLater: FlushLater | undefined,
): Promise<void> {
  const temporary = join(ingestDir(root), `adopt-${randomUUID()}`);
  await link(file, temporary);
  try {
    if ((await stat(temporary)).ino !== inode) throw new Error(`${file} was replaced while it was read`);
    await place(temporary, path, flushLater);
  } finally {
    // rename(2) leaves both names when they are the same file already.
    await rm(temporary, { force: true });
  }
}
