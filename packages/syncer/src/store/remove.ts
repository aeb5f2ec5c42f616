import { readdir, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import type { Digest } from "@nearlayer/shared/digest";
import { systemCode } from "@nearlayer/shared/errors";
import { isPlatform } from "@nearlayer/shared/platform";
import { pubBlobPath, pubDir, storeBlobPath } from "@nearlayer/shared/tree";
import { syncFolder } from "./durable.ts";

/**
 * Removes a blob that nothing needs: the names that a killed run may have left of it in the tree, then its file. Returns
 * whether it was there. The store must be locked.
 */
export async function removeBlob(root: string, digest: Digest): Promise<boolean> {
  for (const name of await readdir(pubDir(root)).catch(() => [])) {
    if (isPlatform(name)) await removeFile(pubBlobPath(root, name, digest));
  }
  return removeFile(storeBlobPath(root, digest));
}

async function removeFile(path: string): Promise<boolean> {
  try {
    await unlink(path);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return false;
    throw error;
  }
  await syncFolder(dirname(path));
  return true;
}
