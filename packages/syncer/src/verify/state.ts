import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { latestGenerations, readGeneration } from "@nearlayer/shared/catalog/generations";
import type { Catalog } from "@nearlayer/shared/catalog/open";
import { systemCode } from "@nearlayer/shared/errors";
import type { Generation } from "@nearlayer/shared/generation";
import type { Signer } from "@nearlayer/shared/note";
import { deltaName, generationName, listName, pubDir } from "@nearlayer/shared/tree";
import { readGzip, writeDelta, writeListFromCatalog } from "../publish/list.ts";
import { noteOf, readShown, temporaryOf } from "../publish/state.ts";
import type { Finding } from "./finding.ts";

/** What the state of the tree is held against. */
export interface StateContext {
  readonly catalog: Catalog;
  readonly root: string;
  readonly signer: Signer | undefined;
}

/**
 * Holds GENERATION, the lists and the newest delta of every platform against the catalog, and the catalog's rows against
 * what it says that they are.
 */
export async function* inspectState(context: StateContext, signal?: AbortSignal): AsyncGenerator<Finding> {
  for (const generation of await latestGenerations(context.catalog)) {
    signal?.throwIfAborted();
    yield* inspectGeneration(context, generation);
  }
}

async function* inspectGeneration(
  { catalog, root, signer }: StateContext,
  generation: Generation,
): AsyncGenerator<Finding> {
  const { platform, number } = generation;
  const wrong = (name: string, reason: string): Finding => ({
    ...{ fault: "state", path: join("pub", name), reason, platform },
  });
  if ((await readShown(root, platform)) !== noteOf(generation, signer)) {
    yield wrong(generationName(platform), `is not generation ${number} as the catalog has it`);
  }
  const list = listName(platform, number);
  const shown = await sha256OfGzip(join(pubDir(root), list));
  if (shown !== generation.listSha256)
    yield wrong(list, shown === undefined ? "is not there, or broken" : "is another");

  const temporary = await temporaryOf(root, `verify-${platform}-${process.pid}`);
  const { sha256 } = await writeListFromCatalog(temporary, catalog, platform, number);
  if (sha256 !== generation.listSha256) yield wrong(generationName(platform), "is not what the catalog's blobs make");

  const delta = deltaName(platform, number);
  const isWhole = await writeDelta(temporary, catalog, platform, number);
  // What gc has removed since has left a catalog that can no longer tell it.
  if (isWhole && (await sha256OfGzip(join(pubDir(root), delta))) !== (await sha256OfGzip(temporary))) {
    yield wrong(delta, "is not there, or not what has changed");
  }
  await rm(temporary, { force: true });

  const before = await readGeneration(catalog, platform, number - 1);
  const previous = listName(platform, number - 1);
  const previousSha256 = await sha256OfGzip(join(pubDir(root), previous));
  if (before && previousSha256 !== undefined && previousSha256 !== before.listSha256)
    yield wrong(previous, "is another");
}

/** The sha256 of the text in a gzipped file, or undefined when it is not there or cannot be read to its end. */
async function sha256OfGzip(path: string): Promise<string | undefined> {
  const hash = createHash("sha256");
  try {
    for await (const chunk of readGzip(path)) hash.update(chunk as Buffer);
  } catch (error) {
    const code = systemCode(error) ?? "";
    if (code === "ENOENT" || code === "EIO" || code.startsWith("Z_")) return undefined;
    throw error;
  }
  return hash.digest("hex");
}
