import type { Digest } from "../digest.ts";
import { artifactTypeOf, blobsOf, carriedBlobsOf, type Manifest } from "../manifest.ts";
import type { Platform } from "../platform.ts";
import type { Repository, Tag } from "../reference.ts";
import { bumpRevision, type Catalog } from "./open.ts";

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
  await catalog.transaction().execute(async (transaction) => {
    await transaction
      .insertInto("repository")
      .values({ name: image.repository })
      .onConflict((c) => c.doNothing())
      .execute();
    const next = await nextNumbers(transaction);
    for (const record of image.manifests) await recordManifest(transaction, image, record, next);
    await transaction
      .insertInto("tag")
      .values({ repository: image.repository, name: image.tag, digest: image.digest })
      .onConflict((c) => c.columns(["repository", "name"]).doUpdateSet({ digest: image.digest, missing: 0 }))
      .execute();
    await bumpRevision(transaction);
  });
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

async function recordManifest(
  transaction: Catalog,
  image: ImageRecord,
  { digest, bytes, manifest, platforms }: ManifestRecord,
  next: (platform: Platform) => number,
): Promise<void> {
  await transaction
    .insertInto("manifest")
    .values({
      digest,
      mediaType: manifest.mediaType,
      bytes,
      artifactType: artifactTypeOf(manifest) ?? null,
      subject: manifest.subject?.digest ?? null,
      annotations: manifest.annotations ? JSON.stringify(manifest.annotations) : null,
    })
    .onConflict((c) => c.doNothing())
    .execute();
  await transaction
    .insertInto("repositoryManifest")
    .values({ repository: image.repository, digest })
    .onConflict((c) => c.doNothing())
    .execute();
  const children =
    manifest.kind === "index"
      ? manifest.manifests.map((child) => ({ child: child.digest, role: "manifest" as const }))
      : blobsOf(manifest).map((blob, index) => ({
          child: blob.digest,
          role: index === 0 ? ("config" as const) : ("layer" as const),
        }));
  for (const [position, { child, role }] of children.entries()) {
    await transaction
      .insertInto("manifestRef")
      .values({ parent: digest, position, child, role })
      .onConflict((c) => c.doNothing())
      .execute();
  }
  for (const platform of platforms) {
    await transaction
      .insertInto("manifestPlatform")
      .values({ digest, platform })
      .onConflict((c) => c.doNothing())
      .execute();
  }
  if (manifest.kind === "image") await recordBlobs(transaction, image, manifest, platforms, next);
}

async function recordBlobs(
  transaction: Catalog,
  image: ImageRecord,
  manifest: Manifest & { kind: "image" },
  platforms: readonly Platform[],
  next: (platform: Platform) => number,
): Promise<void> {
  for (const { digest, size } of carriedBlobsOf(manifest)) {
    const content = image.contents.get(digest) ?? null;
    await transaction
      .insertInto("blob")
      .values({ digest, size, content })
      // A blob that was known as a layer can turn out to be a configuration too; never the other way round.
      .onConflict((c) => (content === null ? c.doNothing() : c.column("digest").doUpdateSet({ content })))
      .execute();
    for (const platform of platforms) {
      const since = next(platform);
      await transaction
        .insertInto("platformBlob")
        .values({ platform, digest, since, until: null })
        // What was dropped and is wanted again comes anew.
        .onConflict((c) =>
          c
            .columns(["platform", "digest"])
            .doUpdateSet({ since, until: null })
            .where("platformBlob.until", "is not", null),
        )
        .execute();
    }
  }
}
