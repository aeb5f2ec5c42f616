import { digestOfTag, type ImageRecord, recordImages } from "@nearlayer/shared/catalog/images";
import type { SourceConfig } from "@nearlayer/shared/config/schema";
import type { Digest } from "@nearlayer/shared/digest";
import { isDiskFull } from "@nearlayer/shared/exit";
import { type PlannedImage, planSync } from "../plan/plan.ts";
import { createArchive } from "../removal/archive.ts";
import { listingsOf } from "../removal/listings.ts";
import type { TagName } from "../source/known.ts";
import type { Source } from "../source/source.ts";
import { type Scope, walkSource } from "../source/walk.ts";
import { readContents, showImages } from "./carry.ts";
import type { StoreContext } from "./context.ts";
import { type Failure, failureOf, nameOfFailure } from "./failure.ts";
import { type FetchedBlobs, fetchBlobs } from "./fetch-blobs.ts";
import { readKnown, rememberReferrersApi } from "./known.ts";
import { withdraw } from "./withdraw.ts";

/** What came of a part of the source. */
export interface SyncedPart {
  readonly checked: number;
  readonly unchanged: number;
  /** As `repository:tag`. */
  readonly updated: readonly string[];
  /** Tags that are taken back: they were missing from two complete listings in a row. */
  readonly removed: readonly string[];
  readonly failures: readonly Failure[];
  readonly fetched: FetchedBlobs["fetched"];
}

/**
 * Reads a part of the source, plans, fetches the blobs that the store has not got, shows them in the tree, and records each
 * image when all of it is there. What fails, fails alone.
 */
export async function syncPart(
  source: Source,
  settings: SourceConfig,
  context: StoreContext,
  scope: Scope,
  onTag: () => void,
): Promise<SyncedPart> {
  const { progress } = context.run;
  progress.phase("reading the source");
  const walk = await walkSource(source, settings, await readKnown(context.catalog), scope, onTag);
  await rememberReferrersApi(context.catalog, walk.hasReferrersApi);
  const changed = walk.tags.filter((tag) => tag.outcome === "changed");
  const plan = planSync(changed);

  const { fetched, errors } = await fetchBlobs(context, source, plan.blobs.values(), settings.concurrency);
  progress.phase("recording");
  const failures = [
    ...walk.failedRepositories.map(({ repository, error }) => failureOf({ repository }, error)),
    ...walk.tags.flatMap((tag) => (tag.outcome === "failed" ? [failureOf(tag, tag.error)] : [])),
  ];
  const updated: string[] = [];
  const touched: Digest[] = [];
  const whole = plan.images.filter((planned) => {
    const broken = planned.blobs.find((digest) => errors.has(digest));
    if (broken !== undefined) failures.push(failureOf(planned, errors.get(broken)));
    return broken === undefined;
  });
  const hidden = await showImages(context, whole, plan.blobs);
  for (const [planned, error] of hidden) failures.push(failureOf(planned, error));
  const shown = whole.filter((planned) => !hidden.has(planned));
  for (let start = 0; start < shown.length; start += RECORDED_AT_ONCE) {
    const recorded = await record(context, shown.slice(start, start + RECORDED_AT_ONCE), failures);
    for (const { planned, before } of recorded) {
      touched.push(planned.image.digest, ...(before === undefined ? [] : [before]));
      updated.push(`${planned.repository}:${planned.tag}`);
      progress.image(`${planned.repository}:${planned.tag}`, "updated");
    }
  }
  for (const failure of failures) progress.image(nameOfFailure(failure), "failed", failure.message);
  const archive = createArchive(context.config.removal.archive);
  const withdrawn = await withdraw(context.catalog, archive, { listings: listingsOf(walk), touched }, new Date());
  const removed = withdrawn.tags.map(({ repository, name }) => `${repository}:${name}`);
  const unchanged = walk.tags.filter((tag) => tag.outcome === "unchanged").length;
  return { checked: walk.tags.length, unchanged, updated, removed, failures, fetched };
}

/** How many images one transaction records. */
const RECORDED_AT_ONCE = 25;

type NamedImage = PlannedImage & TagName;

/** An image that is recorded now, and what its tag named before. */
interface Recorded {
  readonly planned: NamedImage;
  readonly before: Digest | undefined;
}

/** Records images, all of which are shown; where that fails, one by one. Returns those that were, and what stood there. */
async function record(context: StoreContext, images: readonly NamedImage[], failures: Failure[]): Promise<Recorded[]> {
  const { catalog } = context;
  try {
    const recorded: Recorded[] = [];
    const records: ImageRecord[] = [];
    for (const planned of images) {
      recorded.push({ planned, before: await digestOfTag(catalog, planned.repository, planned.tag) });
      records.push(await recordOf(context, planned));
    }
    await recordImages(catalog, records);
    return recorded;
  } catch (error) {
    if (isDiskFull(error)) throw error;
    const [only, ...others] = images;
    if (only === undefined || others.length > 0) {
      const singly: Recorded[] = [];
      for (const image of images) singly.push(...(await record(context, [image], failures)));
      return singly;
    }
    failures.push(failureOf(only, error));
    return [];
  }
}

async function recordOf(context: StoreContext, { repository, tag, image }: NamedImage): Promise<ImageRecord> {
  const contents = await readContents(context.root, image);
  return { repository, tag, digest: image.digest, manifests: image.manifests, contents };
}
