import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import {
  blobsOfGeneration,
  changesOfGeneration,
  latestGeneration,
  latestGenerations,
  pendingPlatforms,
  recordGeneration,
} from "@nearlayer/shared/catalog/generations";
import type { Catalog } from "@nearlayer/shared/catalog/open";
import { systemCode } from "@nearlayer/shared/errors";
import { formatDelta, formatGeneration, formatList, type Generation, sha256Hex } from "@nearlayer/shared/generation";
import { type Signer, signNote } from "@nearlayer/shared/note";
import type { Platform } from "@nearlayer/shared/platform";
import { deltaName, generationName, ingestDir, listName, pubDir, STATE_DIR } from "@nearlayer/shared/tree";
import { replaceFile } from "../store/durable.ts";

/** How many deltas stay in the tree: a mirror that is further behind takes the list. */
const DELTAS_KEPT = 100;
const gzipped = promisify(gzip);

/**
 * Makes the next generation of every platform whose set of blobs has changed. The catalog knows of it first, the tree
 * shows it after: a run that is killed in between is completed by `restoreState`.
 */
export async function makeGenerations(
  catalog: Catalog,
  root: string,
  signer: Signer | undefined,
  now: Date,
): Promise<Generation[]> {
  const made: Generation[] = [];
  for (const platform of await pendingPlatforms(catalog)) {
    const number = ((await latestGeneration(catalog, platform))?.number ?? 0) + 1;
    const entries = await blobsOfGeneration(catalog, platform, number);
    const generation: Generation = {
      platform,
      number,
      time: `${now.toISOString().slice(0, 19)}Z`,
      files: entries.length,
      bytes: entries.reduce((sum, { size }) => sum + size, 0),
      listSha256: sha256Hex(formatList(entries)),
    };
    await recordGeneration(catalog, generation);
    await writeState(catalog, root, generation, signer);
    made.push(generation);
  }
  return made;
}

/** Writes the state of every platform whose newest generation the tree does not show yet. */
export async function restoreState(catalog: Catalog, root: string, signer: Signer | undefined): Promise<void> {
  for (const generation of await latestGenerations(catalog)) {
    const shown = await readText(join(pubDir(root), generationName(generation.platform)));
    if (shown !== noteOf(generation, signer)) await writeState(catalog, root, generation, signer);
  }
}

/** Ed25519 signatures have no randomness in them: the same generation is the same bytes. */
function noteOf(generation: Generation, signer: Signer | undefined): string {
  const text = formatGeneration(generation);
  return signer ? signNote(text, signer) : text;
}

/** The list and the delta first, GENERATION after them, what is no longer needed last. */
async function writeState(
  catalog: Catalog,
  root: string,
  generation: Generation,
  signer: Signer | undefined,
): Promise<void> {
  const { platform, number } = generation;
  const list = formatList(await blobsOfGeneration(catalog, platform, number));
  const { added, removed } = await changesOfGeneration(catalog, platform, number);
  await writeIntoPub(root, listName(platform, number), await gzipped(list));
  await writeIntoPub(root, deltaName(platform, number), await gzipped(formatDelta(added, removed)));
  await writeIntoPub(root, generationName(platform), noteOf(generation, signer));
  await removeOldState(root, platform, number);
}

/** Temporary files stay out of `pub/`, which rsync may be reading at any moment. */
async function writeIntoPub(root: string, name: string, content: string | Uint8Array): Promise<void> {
  await mkdir(ingestDir(root), { recursive: true });
  await replaceFile(join(pubDir(root), name), join(ingestDir(root), `state-${name.replaceAll("/", "-")}`), content);
}

/** Keeps this list and the one before it, for mirrors that are just reading it, and the newest deltas. */
async function removeOldState(root: string, platform: Platform, number: number): Promise<void> {
  const folder = join(pubDir(root), STATE_DIR, platform);
  for (const name of await readdir(folder)) {
    const list = /^list-(\d+)\.gz$/.exec(name)?.[1];
    const delta = /^delta-\d+-(\d+)\.gz$/.exec(name)?.[1];
    const isOld =
      (list !== undefined && Number(list) < number - 1) ||
      (delta !== undefined && Number(delta) <= number - DELTAS_KEPT);
    if (isOld) await rm(join(folder, name), { force: true });
  }
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
