import { readdir, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Catalog } from "@nearlayer/shared/catalog/open";
import { droppedBlobs } from "@nearlayer/shared/catalog/removal";
import { isStored } from "@nearlayer/shared/catalog/stored";
import { type Digest, fromHex, isHex } from "@nearlayer/shared/digest";
import { systemCode } from "@nearlayer/shared/errors";
import type { Generation } from "@nearlayer/shared/generation";
import { ingestDir, pubBlobPath, storeBlobPath, storeDir } from "@nearlayer/shared/tree";
import { clearStaleDownloads } from "../store/blob-lock.ts";
import { syncFolders } from "../store/durable.ts";

/** How many files are removed side by side. */
const AT_ONCE = 64;

/**
 * Removes files, those that are there, and makes that durable. Returns how many there were. `signal` ends it between two
 * of them.
 */
export async function removeFiles(paths: readonly string[], signal?: AbortSignal): Promise<number> {
  const folders = new Set<string>();
  let removed = 0;
  for (let start = 0; start < paths.length; start += AT_ONCE) {
    signal?.throwIfAborted();
    await Promise.all(
      paths.slice(start, start + AT_ONCE).map(async (path) => {
        try {
          await rm(path);
          removed += 1;
          folders.add(dirname(path));
        } catch (error) {
          if (systemCode(error) !== "ENOENT") throw error;
        }
      }),
    );
  }
  await syncFolders(folders);
  return removed;
}

/**
 * Removes the names of blobs that the newest generations have dropped; those must be on disk. It does so for all that
 * were ever dropped, so that a run which was killed on the way is completed by the next.
 */
export async function removeDroppedNames(
  catalog: Catalog,
  root: string,
  newest: readonly Generation[],
  signal?: AbortSignal,
): Promise<number> {
  let removed = 0;
  for (const { platform, number } of newest) {
    const digests = await droppedBlobs(catalog, platform, number);
    removed += await removeFiles(
      digests.map((digest) => pubBlobPath(root, platform, digest)),
      signal,
    );
  }
  return removed;
}

/** A file of the store that the catalog knows nothing of. */
export interface Stray {
  readonly digest: Digest;
  readonly size: number;
}

/**
 * Files of the store that no image needs, and that nobody has touched since `before`: of images that then failed, and
 * what was fetched by hand. Cost: one look at every name of the store.
 */
export async function findStrays(catalog: Catalog, root: string, before: Date, signal?: AbortSignal): Promise<Stray[]> {
  const folder = join(storeDir(root), "blobs", "sha256");
  const strays: Stray[] = [];
  for (const prefix of await names(folder)) {
    signal?.throwIfAborted();
    const digests = (await names(join(folder, prefix))).filter(isHex).map(fromHex);
    const known = await isStored(catalog, digests);
    for (const digest of digests.filter((name) => !known.has(name))) {
      // Unlike the modification time, this one says when the file got here.
      const { ctime, size } = await stat(storeBlobPath(root, digest));
      if (ctime <= before) strays.push({ digest, size });
    }
  }
  return strays;
}

/** Removes downloads that nobody has gone on with since `before`, and other leftovers. Returns how many. */
export async function sweepIngest(root: string, before: Date, signal?: AbortSignal): Promise<number> {
  const isOld = async (path: string) => {
    signal?.throwIfAborted();
    return (await newestChange(path)) <= before.getTime();
  };
  const folder = ingestDir(root);
  const stale = await clearStaleDownloads(root, (_, path) => isOld(path));
  let removed = stale.length;
  for (const name of await names(folder)) {
    if (isHex(name) || !(await isOld(join(folder, name)))) continue;
    await rm(join(folder, name), { recursive: true, force: true });
    removed += 1;
  }
  return removed;
}

/** When anything in a folder changed last, in milliseconds since 1970. */
async function newestChange(path: string): Promise<number> {
  const { mtimeMs } = await stat(path);
  const inside = await names(path).catch(() => []);
  const times = await Promise.all(inside.map(async (name) => (await stat(join(path, name))).mtimeMs));
  return Math.max(mtimeMs, ...times);
}

async function names(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  }
}
