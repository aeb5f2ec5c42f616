import type { Digest } from "../digest.ts";
import type { Manifest } from "../manifest.ts";
import type { Platform } from "../platform.ts";
import type { Repository, Tag } from "../reference.ts";
import { chunksOf } from "./chunks.ts";
import { type ImageRows, rowsOf } from "./image-rows.ts";
import { bumpRevision, type Catalog, pendingRevision } from "./open.ts";

/** A manifest with its bytes and the platforms that its blobs are published under. */
export interface ManifestRecord {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
  readonly manifest: Manifest;
  readonly platforms: readonly Platform[];
}

/** An image as it is recorded in one piece: what a tag names, and everything below it, children first. */
export interface ImageRecord {
  readonly repository: Repository;
  readonly tag: Tag;
  readonly digest: Digest;
  readonly manifests: readonly ManifestRecord[];
  /** The small blobs (configurations) that the mirror list serves itself. */
  readonly contents: ReadonlyMap<Digest, Uint8Array>;
}

/** What a tag names, if it is known. */
export async function digestOfTag(catalog: Catalog, repository: Repository, tag: Tag): Promise<Digest | undefined> {
  const row = await catalog
    .selectFrom("tag")
    .select("digest")
    .where("repository", "=", repository)
    .where("name", "=", tag)
    .executeTakeFirst();
  return row?.digest;
}

/** The bytes and the type of a manifest, if it is known. */
export async function manifestOf(
  catalog: Catalog,
  digest: Digest,
): Promise<{ bytes: Uint8Array; mediaType: string } | undefined> {
  return catalog.selectFrom("manifest").select(["bytes", "mediaType"]).where("digest", "=", digest).executeTakeFirst();
}

/**
 * Records an image in one transaction: manifests, blobs, the platforms they are in, and, last, the tag. Its blobs
 * must be in the store and in the tree already. A blob that is new in a platform belongs to that platform's next
 * generation, which `recordGeneration` then makes.
 */
export async function recordImage(catalog: Catalog, image: ImageRecord): Promise<void> {
  await recordImages(catalog, [image]);
}

/**
 * Records several images as `recordImage` does, all of them or none. Their rows lie side by side in the same pages, each
 * of which is then written once: a hundred images cost a third of what they cost one by one.
 */
export async function recordImages(catalog: Catalog, images: readonly ImageRecord[]): Promise<void> {
  if (images.length === 0) return;
  await catalog.transaction().execute(async (transaction) => {
    const next = await nextNumbers(transaction);
    const revision = await pendingRevision(transaction);
    for (const image of images) await insertImage(transaction, image, next, revision);
    await bumpRevision(transaction);
  });
}

async function insertImage(
  transaction: Catalog,
  image: ImageRecord,
  next: (platform: Platform) => number,
  revision: number,
): Promise<void> {
  await transaction
    .insertInto("repository")
    .values({ name: image.repository })
    .onConflict((c) => c.doNothing())
    .execute();
  const rows = rowsOf(image, next, revision);
  await insertManifests(transaction, rows);
  await insertBlobs(transaction, rows);
  await transaction
    .insertInto("tag")
    .values({ repository: image.repository, name: image.tag, digest: image.digest, revision })
    .onConflict((c) => c.columns(["repository", "name"]).doUpdateSet({ digest: image.digest, missing: 0, revision }))
    .execute();
}

async function nextNumbers(transaction: Catalog): Promise<(platform: Platform) => number> {
  const rows = await transaction
    .selectFrom("generation")
    .select((e) => ["platform", e.fn.max("number").as("newest")])
    .groupBy("platform")
    .execute();
  const newest = new Map(rows.map((row) => [row.platform, row.newest]));
  return (platform) => (newest.get(platform) ?? 0) + 1;
}

async function insertManifests(transaction: Catalog, rows: ImageRows): Promise<void> {
  // One by one, because they can be megabytes each.
  for (const row of rows.manifests) {
    await transaction
      .insertInto("manifest")
      .values(row)
      // One that was on its way out is needed again.
      .onConflict((c) =>
        c.column("digest").doUpdateSet({ unneededSince: null }).where("manifest.unneededSince", "is not", null),
      )
      .execute();
  }
  for (const chunk of chunksOf(rows.repositoryManifests)) {
    await transaction
      .insertInto("repositoryManifest")
      .values(chunk)
      .onConflict((c) => c.doNothing())
      .execute();
  }
  for (const chunk of chunksOf(rows.manifestRefs)) {
    await transaction
      .insertInto("manifestRef")
      .values(chunk)
      .onConflict((c) => c.doNothing())
      .execute();
  }
  for (const chunk of chunksOf(rows.manifestPlatforms)) {
    await transaction
      .insertInto("manifestPlatform")
      .values(chunk)
      .onConflict((c) => c.doNothing())
      .execute();
  }
}

async function insertBlobs(transaction: Catalog, rows: ImageRows): Promise<void> {
  for (const chunk of chunksOf(rows.blobs)) {
    await transaction
      .insertInto("blob")
      .values(chunk)
      // A blob that was known as a layer can turn out to be a configuration too; never the other way round.
      .onConflict((c) =>
        c
          .column("digest")
          .doUpdateSet((e) => ({ content: e.ref("excluded.content") }))
          .where("blob.content", "is", null)
          .where("excluded.content", "is not", null),
      )
      .execute();
  }
  for (const chunk of chunksOf(rows.platformBlobs)) {
    await transaction
      .insertInto("platformBlob")
      .values(chunk)
      // What was dropped and is wanted again comes anew; what no generation has dropped yet is there as before.
      .onConflict((c) =>
        c
          .columns(["platform", "digest"])
          .doUpdateSet((e) => ({
            since: e
              .case()
              .when("platformBlob.until", "<", e.ref("excluded.since"))
              .then(e.ref("excluded.since"))
              .else(e.ref("platformBlob.since"))
              .end(),
            until: null,
            tombstonedAt: null,
            revision: e.ref("excluded.revision"),
          }))
          .where((e) =>
            e.or([e("platformBlob.until", "is not", null), e("platformBlob.tombstonedAt", "is not", null)]),
          ),
      )
      .execute();
  }
}
