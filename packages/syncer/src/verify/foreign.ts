import type { Dirent } from "node:fs";
import { readdir } from "node:fs/promises";
import { join, relative } from "node:path";
import { latestGenerations } from "@nearlayer/shared/catalog/generations";
import type { Catalog } from "@nearlayer/shared/catalog/open";
import { isPlaced, isStored } from "@nearlayer/shared/catalog/stored";
import { fromHex, isHex } from "@nearlayer/shared/digest";
import { systemCode } from "@nearlayer/shared/errors";
import { isPlatform, type Platform } from "@nearlayer/shared/platform";
import { pubDir, STATE_DIR, storeDir } from "@nearlayer/shared/tree";
import { isOldState } from "../publish/state.ts";
import { hashFile, type InspectOptions } from "./blob.ts";
import type { Finding } from "./finding.ts";

/**
 * Finds what does not belong in the tree: files that no generation has or had, and whatever else lies there. What a
 * generation has dropped and gc has not removed yet does belong. Cost: one look at every name, none at the bytes.
 */
export async function* findForeign(catalog: Catalog, root: string, signal?: AbortSignal): AsyncGenerator<Finding> {
  const pub = pubDir(root);
  const foreign = (path: string, reason: string): Finding => ({
    ...{ fault: "foreign", path: relative(root, path), reason },
  });
  for (const entry of await entries(pub)) {
    const path = join(pub, entry.name);
    if (entry.isDirectory() && entry.name === STATE_DIR) yield* findForeignState(catalog, path, foreign);
    else if (entry.isDirectory() && isPlatform(entry.name))
      yield* findForeignBlobs(catalog, entry.name, path, foreign, signal);
    else yield* everything(path, entry, foreign);
  }
}

type Report = (path: string, reason: string) => Finding;

async function* findForeignBlobs(
  catalog: Catalog,
  platform: Platform,
  folder: string,
  foreign: Report,
  signal: AbortSignal | undefined,
): AsyncGenerator<Finding> {
  const blobs = join(folder, "blobs", "sha256");
  yield* others(folder, ["blobs"], foreign);
  yield* others(join(folder, "blobs"), ["sha256"], foreign);
  for (const entry of await entries(blobs)) {
    signal?.throwIfAborted();
    const path = join(blobs, entry.name);
    if (!entry.isDirectory() || !/^[0-9a-f]{2}$/.test(entry.name)) {
      yield* everything(path, entry, foreign);
      continue;
    }
    const files = await entries(path);
    const isName = (file: Dirent) => file.isFile() && isHex(file.name) && file.name.startsWith(entry.name);
    const digests = files
      .filter(isName)
      .map(({ name }) => name)
      .filter(isHex)
      .map(fromHex);
    const known = await isPlaced(catalog, platform, digests);
    for (const file of files) {
      const isKnown = isName(file) && isHex(file.name) && known.has(fromHex(file.name));
      if (!isKnown) yield* everything(join(path, file.name), file, foreign, "is of no generation");
    }
  }
}

async function* findForeignState(catalog: Catalog, folder: string, foreign: Report): AsyncGenerator<Finding> {
  const newest = new Map(
    (await latestGenerations(catalog)).map(({ platform, number }) => [platform as string, number]),
  );
  for (const entry of await entries(folder)) {
    const number = newest.get(entry.name);
    const path = join(folder, entry.name);
    if (number === undefined || !entry.isDirectory()) {
      yield* everything(path, entry, foreign);
      continue;
    }
    for (const file of await entries(path)) {
      const of = /^(?:list|delta-\d+)-(\d+)\.gz$/.exec(file.name)?.[1];
      const belongs =
        file.name === "GENERATION" || (of !== undefined && Number(of) <= number && !isOldState(file.name, number));
      if (!belongs || !file.isFile()) yield* everything(join(path, file.name), file, foreign, "is of no generation");
    }
  }
}

/** What stands in a folder beside the names that belong there. */
async function* others(folder: string, names: readonly string[], foreign: Report): AsyncGenerator<Finding> {
  for (const entry of await entries(folder)) {
    if (!entry.isDirectory() || !names.includes(entry.name))
      yield* everything(join(folder, entry.name), entry, foreign);
  }
}

/** A thing that does not belong, or all files in it. An empty folder does no harm: rsync carries it, nobody asks for it. */
async function* everything(
  path: string,
  entry: Dirent,
  foreign: Report,
  reason = "does not belong in the tree",
): AsyncGenerator<Finding> {
  if (!entry.isDirectory()) yield foreign(path, reason);
  else for (const inside of await entries(path)) yield* everything(join(path, inside.name), inside, foreign, reason);
}

/** Files of the store that no image needs, with bytes that are not what their names say. */
export async function* findSpoiltStrays(
  catalog: Catalog,
  root: string,
  options: InspectOptions,
): AsyncGenerator<Finding> {
  if (options.quick) return;
  const folder = join(storeDir(root), "blobs", "sha256");
  for (const prefix of await entries(folder)) {
    const digests = (await entries(join(folder, prefix.name)))
      .map(({ name }) => name)
      .filter(isHex)
      .map(fromHex);
    const known = await isStored(catalog, digests);
    for (const digest of digests) {
      options.signal?.throwIfAborted();
      const path = join(folder, prefix.name, digest.slice(7));
      if (known.has(digest) || (await hashFile(path, options)) === digest) continue;
      yield { fault: "bytes", path: relative(root, path), reason: "has other bytes, and no image needs it" };
    }
  }
}

async function entries(folder: string): Promise<Dirent[]> {
  try {
    return (await readdir(folder, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  }
}
