import { setImmediate } from "node:timers/promises";
import { latestGenerations } from "@nearlayer/shared/catalog/generations";
import { readWholeGraph } from "@nearlayer/shared/catalog/graph";
import { bumpRevision, type Catalog } from "@nearlayer/shared/catalog/open";
import {
  type Dropped,
  deleteBlobs,
  deleteEmptyRepositories,
  deleteTags,
  dropExpired,
  forgetDropped,
  markBlobs,
  markManifests,
  readKnownTags,
  uselessBlobs,
} from "@nearlayer/shared/catalog/removal";
import { readRepositories } from "@nearlayer/shared/catalog/served";
import type { Config } from "@nearlayer/shared/config/schema";
import type { Digest } from "@nearlayer/shared/digest";
import { NearlayerError } from "@nearlayer/shared/errors";
import type { Generation } from "@nearlayer/shared/generation";
import type { Reference } from "@nearlayer/shared/reference";
import { storeBlobPath } from "@nearlayer/shared/tree";
import { findStrays, removeDroppedNames, removeFiles, sweepIngest } from "../gc/files.ts";
import { makeGenerations, restoreState } from "../publish/generations.ts";
import { DELTAS_KEPT } from "../publish/state.ts";
import { type Archive, createArchive } from "../removal/archive.ts";
import { planManifests } from "../removal/manifests.ts";
import { type StoreContext, withStore } from "./context.ts";
import { type Run, UNATTENDED } from "./run.ts";

export interface GcOptions {
  /** Say what would be removed, and change nothing. */
  readonly dryRun?: boolean;
  /** Tags, or all tags of repositories, that are taken back at once, whatever the source says. */
  readonly forget?: readonly Reference[];
}

/** What gc removed, or with `dryRun` would. */
export interface GcResult {
  readonly dryRun: boolean;
  /** Tags taken back because they were named. */
  readonly forgotten: readonly string[];
  /** Manifests for which the grace period is over. */
  readonly manifests: number;
  /** Blobs that leave a platform of the tree, and the mirrors with it. */
  readonly platforms: Dropped["platforms"];
  /** Files that leave the store, and what that frees, in bytes. */
  readonly store: { readonly blobs: number; readonly bytes: number };
  /** Manifests that are unneeded, and still within the grace period. */
  readonly waiting: number;
  /** Abandoned downloads and other leftovers; not counted in a dry run. */
  readonly leftovers: number;
  readonly generations: readonly Generation[];
}

/**
 * Removes what nothing has needed for the grace period. The order is what makes a kill harmless at any point: the catalog
 * drops, the generation without the dropped is written, only then the names in the tree go, and then the store's files.
 * What a run leaves undone, the next one does.
 */
export async function gc(config: Config, options: GcOptions = {}, run: Run = UNATTENDED): Promise<GcResult> {
  const { dryRun = false, forget = [] } = options;
  return withStore(
    config,
    dryRun ? "syncer gc --dry-run" : "syncer gc",
    async (context) => {
      const { signal, progress } = context.run;
      progress.phase("looking for what nothing needs");
      const now = new Date();
      const before = new Date(now.getTime() - config.removal.grace);
      const archive = createArchive(config.removal.archive);
      if (!dryRun) await restoreState(context.catalog, context.root, context.signer);
      const plan = await dropFromCatalog(context.catalog, { archive, forget, dryRun, now, before, signal });
      const strays = await findStrays(context.catalog, context.root, before, signal);
      const { useless, ...dropped } = plan;
      const files = [...useless, ...strays];
      const store = { blobs: files.length, bytes: files.reduce((sum, { size }) => sum + size, 0) };
      if (dryRun) return { dryRun, ...dropped, store, leftovers: 0, generations: [] };

      signal.throwIfAborted();
      progress.phase("removing");
      const generations = await makeGenerations(context.catalog, context.root, context.signer, now);
      await removeFromDisk(
        context,
        strays.map(({ digest }) => digest),
      );
      const leftovers = await sweepIngest(
        context.root,
        new Date(now.getTime() - config.removal.abandonedDownloads),
        signal,
      );
      return { dryRun, ...dropped, store, leftovers, generations };
    },
    run,
    dryRun ? "store" : "store and tree",
  );
}

interface DropOptions {
  readonly archive: Archive;
  readonly forget: readonly Reference[];
  readonly dryRun: boolean;
  readonly now: Date;
  readonly before: Date;
  readonly signal: AbortSignal;
}

/** All that gc changes in the catalog, as one transaction; a dry run does the same and takes it back. */
async function dropFromCatalog(catalog: Catalog, options: DropOptions) {
  const transaction = await catalog.startTransaction().execute();
  try {
    const dropped = await drop(transaction, options);
    if (options.dryRun) await transaction.rollback().execute();
    else await transaction.commit().execute();
    return dropped;
  } catch (error) {
    if (!transaction.isCommitted) await transaction.rollback().execute();
    throw error;
  }
}

async function drop(transaction: Catalog, { archive, forget, now, before, signal }: DropOptions) {
  // A query of SQLite's lets nobody in: signals have their turn between two of them.
  const breathe = async () => {
    await setImmediate();
    signal.throwIfAborted();
  };
  const forgotten = await forgetTags(transaction, forget);
  const kept = (await readRepositories(transaction)).filter(archive.keepsRepository);
  // The marks that syncs have set are gone through as a whole: one that was killed may have left some out.
  const graph = await readWholeGraph(transaction, kept);
  await breathe();
  const marks = planManifests(graph);
  await breathe();
  await markManifests(transaction, marks, now.toISOString());
  await breathe();
  await markBlobs(transaction, now.toISOString());
  await breathe();
  const { manifests, platforms } = await dropExpired(transaction, before.toISOString());
  await breathe();
  await deleteEmptyRepositories(transaction);
  await bumpRevision(transaction);
  const waiting = await transaction
    .selectFrom("manifest")
    .select((e) => e.fn.countAll<number>().as("count"))
    .where("unneededSince", ">", before.toISOString())
    .executeTakeFirstOrThrow();
  const useless = await uselessBlobs(transaction);
  // From here on there is something to complete; until here, nothing has happened.
  await breathe();
  return { forgotten, manifests: manifests.length, platforms, waiting: Number(waiting.count), useless };
}

async function forgetTags(transaction: Catalog, references: readonly Reference[]): Promise<string[]> {
  if (references.length === 0) return [];
  const tags = await readKnownTags(transaction);
  const forgotten = references.flatMap(({ repository, tag }) => {
    const named = tags.filter((known) => known.repository === repository && (tag === undefined || known.name === tag));
    if (named.length > 0) return named;
    throw new NearlayerError("NOT_FOUND", `${repository}${tag === undefined ? "" : `:${tag}`} is not known`);
  });
  await deleteTags(transaction, forgotten);
  return forgotten.map(({ repository, name }) => `${repository}:${name}`);
}

/** The generations that dropped them are on disk: nothing names these files any more. */
async function removeFromDisk(
  { catalog, root, run: { signal } }: StoreContext,
  strays: readonly Digest[],
): Promise<void> {
  const newest = await latestGenerations(catalog);
  await removeDroppedNames(catalog, root, newest, signal);
  const useless = (await uselessBlobs(catalog)).map(({ digest }) => digest);
  await removeFiles(
    [...useless, ...strays].map((digest) => storeBlobPath(root, digest)),
    signal,
  );
  await catalog.transaction().execute(async (transaction) => {
    await deleteBlobs(transaction, useless);
    // The names are gone by now, and a target that is so far behind is compared as a whole.
    for (const { platform, number } of newest) await forgetDropped(transaction, platform, number - DELTAS_KEPT);
    if (useless.length > 0) await bumpRevision(transaction);
  });
}
