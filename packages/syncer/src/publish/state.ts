import { readdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Catalog } from "@nearlayer/shared/catalog/open";
import { NearlayerError, systemCode } from "@nearlayer/shared/errors";
import { formatGeneration, type Generation } from "@nearlayer/shared/generation";
import { type Signer, signNote } from "@nearlayer/shared/note";
import type { Platform } from "@nearlayer/shared/platform";
import { deltaName, generationName, ingestDir, listName, pubDir, STATE_DIR } from "@nearlayer/shared/tree";
import { ensureFolder, renameInto, replaceFile, sizeOf, syncFolder } from "../store/durable.ts";
import { writeDelta, writeListFromCatalog } from "./list.ts";

/** How many deltas stay in the tree: a mirror that is further behind takes the list. */
export const DELTAS_KEPT = 100;

/** Where a file of the state is written before it gets its name: outside of `pub/`, which rsync may be reading. */
export async function temporaryOf(root: string, name: string): Promise<string> {
  await ensureFolder(ingestDir(root));
  return join(ingestDir(root), `state-${name.replaceAll("/", "-")}`);
}

/** Ed25519 signatures have no randomness in them: the same generation is the same bytes. */
export function noteOf(generation: Generation, signer: Signer | undefined): string {
  const text = formatGeneration(generation);
  return signer ? signNote(text, signer) : text;
}

/** The GENERATION file that the tree shows for a platform, if there is one. */
export async function readShown(root: string, platform: Platform): Promise<string | undefined> {
  try {
    return await readFile(join(pubDir(root), generationName(platform)), "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * Shows a generation that the catalog knows: the list and the delta first, where they are not there yet, GENERATION after
 * them, and what is no longer needed goes last. `list` is the list when it has just been written.
 */
export async function showState(
  catalog: Catalog,
  root: string,
  generation: Generation,
  signer: Signer | undefined,
  list?: string,
): Promise<void> {
  const { platform, number } = generation;
  const isNew = list !== undefined;
  await showFile(root, listName(platform, number), isNew, async (temporary) => {
    if (list !== undefined) return list;
    const { sha256 } = await writeListFromCatalog(temporary, catalog, platform, number);
    if (sha256 !== generation.listSha256) throw lostGeneration(generation);
    return temporary;
  });
  await showFile(root, deltaName(platform, number), isNew, async (temporary) =>
    (await writeDelta(temporary, catalog, platform, number)) ? temporary : undefined,
  );
  await syncFolder(join(pubDir(root), STATE_DIR, platform));
  const name = generationName(platform);
  const mtime = new Date(generation.time);
  await replaceFile(join(pubDir(root), name), await temporaryOf(root, name), noteOf(generation, signer), { mtime });
  await removeOldState(root, platform, number);
}

/**
 * A name is only ever given to a whole file, so that one that is there is right; but for a generation that has only now
 * been made, after the catalog was brought back from a backup, say.
 */
async function showFile(
  root: string,
  name: string,
  isNew: boolean,
  write: (temporary: string) => Promise<string | undefined>,
): Promise<void> {
  const path = join(pubDir(root), name);
  if (!isNew && sizeOf(path) !== undefined) return;
  const temporary = await temporaryOf(root, name);
  const written = await write(temporary);
  if (written === undefined) return rm(temporary, { force: true });
  await ensureFolder(dirname(path));
  await renameInto(written, path);
}

function lostGeneration({ platform, number }: Generation): NearlayerError {
  const message = `${platform}: the catalog no longer holds what it says generation ${number} has`;
  return new NearlayerError("GENERATION_INVALID", message, {
    hint: "`syncer verify --repair` makes a new generation of what is there",
  });
}

/** Keeps this list and the one before it, for mirrors that are just reading it, and the newest deltas. */
async function removeOldState(root: string, platform: Platform, number: number): Promise<void> {
  const folder = join(pubDir(root), STATE_DIR, platform);
  for (const name of await readdir(folder)) {
    if (isOldState(name, number)) await rm(join(folder, name), { force: true });
  }
}

/** Is that a list or a delta that mirrors no longer need, now that generation `number` is out? */
export function isOldState(name: string, number: number): boolean {
  const list = /^list-(\d+)\.gz$/.exec(name)?.[1];
  const delta = /^delta-\d+-(\d+)\.gz$/.exec(name)?.[1];
  return (
    (list !== undefined && Number(list) < number - 1) || (delta !== undefined && Number(delta) <= number - DELTAS_KEPT)
  );
}
