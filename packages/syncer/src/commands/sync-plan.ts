import { existsSync } from "node:fs";
import { openCatalogToRead } from "@nearlayer/shared/catalog/read";
import { readKnownTags } from "@nearlayer/shared/catalog/removal";
import type { Config } from "@nearlayer/shared/config/schema";
import type { Platform } from "@nearlayer/shared/platform";
import type { Reference } from "@nearlayer/shared/reference";
import { pubBlobPath } from "@nearlayer/shared/tree";
import { type PlannedBlob, planSync } from "../plan/plan.ts";
import { countTags } from "../progress/progress.ts";
import { createArchive } from "../removal/archive.ts";
import { listedIn, listingsOf } from "../removal/listings.ts";
import { planTags } from "../removal/tags.ts";
import { scopeOf, walkSource } from "../source/walk.ts";
import { type Failure, failureOf } from "./failure.ts";
import { missingBlobs } from "./fetch-blobs.ts";
import { readKnown } from "./known.ts";
import { type Run, UNATTENDED } from "./run.ts";
import { requireSource, withSource } from "./source.ts";

/** So many blobs, and their bytes together. */
export interface Amount {
  readonly blobs: number;
  readonly bytes: number;
}

/** What a sync would do. */
export interface SyncForecast {
  readonly dryRun: true;
  readonly checked: number;
  readonly unchanged: number;
  /** Tags that are new, or name something else now. */
  readonly updated: readonly string[];
  /** Tags that would be taken back. */
  readonly removed: readonly string[];
  readonly failures: readonly Failure[];
  /** What the store has not got. */
  readonly fetch: Amount;
  /** What would get a name in the tree, by platform; these are hardlinks and take no space. */
  readonly link: readonly ({ readonly platform: Platform } & Amount)[];
}

/**
 * Reads the source as a sync does, and says what a sync would do. Changes nothing, makes nothing, and needs no lock: it
 * can run beside a sync, of which it then sees what is recorded already.
 */
export async function forecastSync(
  config: Config,
  references: readonly Reference[] = [],
  run: Run = UNATTENDED,
): Promise<SyncForecast> {
  const settings = requireSource(config);
  const catalog = await openCatalogToRead(config.catalog);
  try {
    run.progress.phase("reading the source");
    const known = await readKnown(catalog);
    const walk = await withSource(settings, run, async (source) =>
      walkSource(source, settings, known, await scopeOf(source, settings, references), countTags(run.progress)),
    );
    run.signal.throwIfAborted();
    const { images, blobs } = planSync(walk.tags.filter((tag) => tag.outcome === "changed"));
    const archive = createArchive(config.removal.archive);
    const listings = listingsOf(walk);
    const { removed } = planTags(await readKnownTags(catalog, listedIn(listings)), listings, archive);
    return {
      dryRun: true,
      checked: walk.tags.length,
      unchanged: walk.tags.filter((tag) => tag.outcome === "unchanged").length,
      updated: images.map(({ repository, tag }) => `${repository}:${tag}`),
      removed: removed.map(({ repository, name }) => `${repository}:${name}`),
      failures: [
        ...walk.failedRepositories.map(({ repository, error }) => failureOf({ repository }, error)),
        ...walk.tags.flatMap((tag) => (tag.outcome === "failed" ? [failureOf(tag, tag.error)] : [])),
      ],
      fetch: sum(missingBlobs(config.root, blobs.values())),
      link: forecastLinks(config.root, [...blobs.values()]),
    };
  } finally {
    await catalog.destroy();
  }
}

function forecastLinks(root: string, blobs: readonly PlannedBlob[]): SyncForecast["link"] {
  const platforms = [...new Set(blobs.flatMap((blob) => blob.platforms))].sort();
  return platforms.flatMap((platform) => {
    const missing = blobs.filter(
      (blob) => blob.platforms.includes(platform) && !existsSync(pubBlobPath(root, platform, blob.digest)),
    );
    return missing.length === 0 ? [] : [{ platform, ...sum(missing) }];
  });
}

const sum = (blobs: readonly PlannedBlob[]): Amount => ({
  blobs: blobs.length,
  bytes: blobs.reduce((bytes, { size }) => bytes + size, 0),
});
