import { readGraphBelow } from "@nearlayer/shared/catalog/graph";
import { bumpRevision, type Catalog } from "@nearlayer/shared/catalog/open";
import {
  deleteTags,
  type KnownTag,
  markBlobs,
  markManifests,
  readKnownTags,
  setMissing,
} from "@nearlayer/shared/catalog/removal";
import { readRepositories } from "@nearlayer/shared/catalog/served";
import type { Digest } from "@nearlayer/shared/digest";
import type { Archive } from "../removal/archive.ts";
import { listedIn } from "../removal/listings.ts";
import { planManifests } from "../removal/manifests.ts";
import { type CompleteListings, planTags } from "../removal/tags.ts";

/** What a sync knows of what may be on its way out. */
export interface RemovalFacts {
  readonly listings: CompleteListings;
  /** What tags named before they moved, and what they name now: all below these is looked at. */
  readonly touched: readonly Digest[];
}

/** What a sync has taken back. */
export interface Withdrawn {
  /** Tags that were missing from two complete listings in a row. */
  readonly tags: readonly KnownTag[];
  /** How many manifests nothing leads to any more; they and their blobs go after the grace period. */
  readonly manifests: number;
}

/**
 * Takes back what the source no longer has, in one transaction: tags at once, and marks on the manifests and blobs that
 * they led to. No file is touched here; `syncer gc` removes what has been marked for long enough.
 */
export async function withdraw(
  catalog: Catalog,
  archive: Archive,
  { listings, touched }: RemovalFacts,
  now: Date,
): Promise<Withdrawn> {
  return catalog.transaction().execute(async (transaction) => {
    const { counted, removed } = planTags(await readKnownTags(transaction, listedIn(listings)), listings, archive);
    await setMissing(transaction, counted);
    await deleteTags(transaction, removed);
    const kept = (await readRepositories(transaction)).filter(archive.keepsRepository);
    const start = [...new Set([...touched, ...removed.map(({ digest }) => digest)])];
    if (start.length === 0) return { tags: removed, manifests: 0 };
    const plan = planManifests(await readGraphBelow(transaction, start, kept));
    await markManifests(transaction, plan, now.toISOString());
    await markBlobs(transaction, now.toISOString(), [...plan.unneeded, ...plan.needed]);
    if (removed.length + plan.unneeded.length + plan.needed.length > 0) await bumpRevision(transaction);
    return { tags: removed, manifests: plan.unneeded.length };
  });
}
