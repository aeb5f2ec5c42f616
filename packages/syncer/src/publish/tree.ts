import { randomUUID } from "node:crypto";
import { linkSync, statSync } from "node:fs";
import { copyFile, link, open, rename, rm, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Digest, hexOf } from "@nearlayer/shared/digest";
import { NearlayerError, systemCode } from "@nearlayer/shared/errors";
import type { Platform } from "@nearlayer/shared/platform";
import { ingestDir, pubBlobPath, storeBlobPath } from "@nearlayer/shared/tree";
import { BLOB_MTIME } from "../store/blob-file.ts";
import { ensureFolder, type FlushLater, syncFolder } from "../store/durable.ts";

/**
 * Shows a stored blob under a platform of the tree, as another name of the same file. The name is durable once the
 * folders that are noted have been flushed, one that was there already too: who made it need not have come to that.
 */
export async function linkBlob(
  root: string,
  platform: Platform,
  digest: Digest,
  flushLater: FlushLater,
): Promise<void> {
  const path = pubBlobPath(root, platform, digest);
  const stored = storeBlobPath(root, digest);
  flushLater.add(dirname(path));
  try {
    await ensureFolder(dirname(path), flushLater);
    linkSync(stored, path);
  } catch (error) {
    switch (systemCode(error)) {
      case "EEXIST":
        if (!isSameBlob(stored, path)) await replace(root, stored, path, digest);
        return;
      case "EMLINK":
        // A file can have only so many names (65,000 on ext4): from there on, a file of its own.
        await copyBlob(root, stored, path, digest);
        return;
      case "EXDEV":
        throw new NearlayerError("CONFIG_INVALID", `${root}: store/ and pub/ are not on one file system`, {
          cause: error,
          hint: "the tree is made of hardlinks: keep the whole of root on one file system",
        });
      default:
        throw error;
    }
  }
}

/** The same file, or a copy made where a file could have no more names. Both have the size and the constant time. */
function isSameBlob(stored: string, path: string): boolean {
  const [a, b] = [statSync(stored), statSync(path)];
  return a.ino === b.ino || (a.size === b.size && b.mtimeMs === BLOB_MTIME * 1000);
}

/** Makes a name in the tree the stored file, whatever it was; nobody ever sees it missing. Returns the folder to flush. */
export async function relinkBlob(root: string, platform: Platform, digest: Digest): Promise<string> {
  const [stored, path] = [storeBlobPath(root, digest), pubBlobPath(root, platform, digest)];
  await ensureFolder(dirname(path));
  try {
    return await replace(root, stored, path, digest);
  } catch (error) {
    if (systemCode(error) !== "EMLINK") throw error;
    return copyBlob(root, stored, path, digest);
  }
}

/** Several platforms can be at the same blob at once. */
const temporaryOf = (root: string, digest: Digest) => join(ingestDir(root), `link-${hexOf(digest)}-${randomUUID()}`);

async function replace(root: string, stored: string, path: string, digest: Digest): Promise<string> {
  const temporary = temporaryOf(root, digest);
  await ensureFolder(dirname(temporary));
  await link(stored, temporary);
  await rename(temporary, path);
  // rename(2) leaves both names when they are the same file already.
  await rm(temporary, { force: true });
  await syncFolder(dirname(temporary));
  return dirname(path);
}

async function copyBlob(root: string, stored: string, path: string, digest: Digest): Promise<string> {
  const temporary = temporaryOf(root, digest);
  await ensureFolder(dirname(temporary));
  await copyFile(stored, temporary);
  await utimes(temporary, BLOB_MTIME, BLOB_MTIME);
  const handle = await open(temporary, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, path);
  return dirname(path);
}
