import type { ExpressionBuilder } from "kysely";
import type { Digest } from "../digest.ts";
import type { Platform } from "../platform.ts";
import type { Repository, Tag } from "../reference.ts";
import { chunksOf } from "./chunks.ts";
import { type Catalog, noteRemoval, pendingRevision } from "./open.ts";
import type { CatalogSchema } from "./schema.ts";

/** A tag, and in how many complete listings in a row it has been missing. */
export interface KnownTag {
  readonly repository: Repository;
  readonly name: Tag;
  readonly digest: Digest;
  readonly missing: number;
}

/** All tags, or those of these repositories. */
export async function readKnownTags(catalog: Catalog, repositories?: readonly Repository[]): Promise<KnownTag[]> {
  const tags = catalog.selectFrom("tag").selectAll().orderBy("repository").orderBy("name");
  if (repositories === undefined) return tags.execute();
  const found: KnownTag[] = [];
  for (const chunk of chunksOf(repositories)) found.push(...(await tags.where("repository", "in", chunk).execute()));
  return found;
}

/** Writes down in how many listings a tag has been missing. */
export async function setMissing(catalog: Catalog, tags: readonly KnownTag[]): Promise<void> {
  for (const { repository, name, missing } of tags) {
    await catalog
      .updateTable("tag")
      .set({ missing })
      .where("repository", "=", repository)
      .where("name", "=", name)
      .execute();
  }
}

export async function deleteTags(catalog: Catalog, tags: readonly KnownTag[]): Promise<void> {
  if (tags.length > 0) await noteRemoval(catalog, "removedImages");
  for (const { repository, name } of tags) {
    await catalog.deleteFrom("tag").where("repository", "=", repository).where("name", "=", name).execute();
  }
}

/** Marks manifests as unneeded from now on, or as needed again. */
export async function markManifests(
  catalog: Catalog,
  { unneeded, needed }: { readonly unneeded: readonly Digest[]; readonly needed: readonly Digest[] },
  now: string,
): Promise<void> {
  for (const digests of chunksOf(unneeded)) {
    await catalog
      .updateTable("manifest")
      .set({ unneededSince: now })
      .where("digest", "in", digests)
      .where("unneededSince", "is", null)
      .execute();
  }
  for (const digests of chunksOf(needed)) {
    await catalog.updateTable("manifest").set({ unneededSince: null }).where("digest", "in", digests).execute();
  }
}

type Outer = ExpressionBuilder<CatalogSchema, "platformBlob">;

/** Manifests that name a blob of `platform_blob` in its platform; `neededOnly`: those that something leads to. */
function manifestsOf(e: Outer, neededOnly: boolean) {
  const naming = e
    .selectFrom("manifestRef")
    .innerJoin("manifestPlatform", "manifestPlatform.digest", "manifestRef.parent")
    .select("manifestRef.parent")
    .whereRef("manifestRef.child", "=", "platformBlob.digest")
    .whereRef("manifestPlatform.platform", "=", "platformBlob.platform")
    .where("manifestRef.role", "in", ["config", "layer"]);
  if (!neededOnly) return naming;
  return naming
    .innerJoin("manifest", "manifest.digest", "manifestRef.parent")
    .where("manifest.unneededSince", "is", null);
}

/**
 * Sets tombstones on the blobs that no needed manifest names in their platform, and takes them off the others. Looks at
 * the blobs of the given manifests, or at all there are.
 */
export async function markBlobs(catalog: Catalog, now: string, manifests?: readonly Digest[]): Promise<void> {
  const revision = await pendingRevision(catalog);
  const set = catalog
    .updateTable("platformBlob")
    .set({ tombstonedAt: now, revision })
    .where("until", "is", null)
    .where("tombstonedAt", "is", null)
    .where((e) => e.not(e.exists(manifestsOf(e, true))));
  const takeOff = catalog
    .updateTable("platformBlob")
    .set({ tombstonedAt: null, revision })
    .where("until", "is", null)
    .where("tombstonedAt", "is not", null)
    .where((e) => e.exists(manifestsOf(e, true)));
  if (manifests === undefined) {
    await set.execute();
    await takeOff.execute();
    return;
  }
  for (const parents of chunksOf(manifests)) {
    const theirs = catalog.selectFrom("manifestRef").select("child").where("parent", "in", parents);
    await set.where("digest", "in", theirs).execute();
    await takeOff.where("digest", "in", theirs).execute();
  }
}

/** What is removed from the catalog: manifests, and blobs by platform. */
export interface Dropped {
  readonly manifests: readonly Digest[];
  readonly platforms: readonly { readonly platform: Platform; readonly blobs: number; readonly bytes: number }[];
}

/**
 * Drops the manifests that have been unneeded, and the blobs that have had a tombstone, since `before` or longer. The
 * blobs leave their platform with its next generation.
 *
 * A manifest that variants are made of stays, without its blobs: a variant's digest is answered for good.
 */
export async function dropExpired(transaction: Catalog, before: string): Promise<Dropped> {
  const expired = (
    await transaction.selectFrom("manifest").select("digest").where("unneededSince", "<=", before).execute()
  ).map(({ digest }) => digest);
  const manifests: Digest[] = [];
  for (const digests of chunksOf(expired)) {
    await transaction.deleteFrom("manifestRef").where("parent", "in", digests).execute();
    await transaction.deleteFrom("manifestPlatform").where("digest", "in", digests).execute();
    const originals = await transaction
      .selectFrom("variant")
      .select("original")
      .distinct()
      .where("original", "in", digests)
      .execute();
    const kept = new Set(originals.map(({ original }) => original));
    const dropped = digests.filter((digest) => !kept.has(digest));
    manifests.push(...dropped);
    if (dropped.length === 0) continue;
    await noteRemoval(transaction, "removedImages");
    await transaction.deleteFrom("repositoryManifest").where("digest", "in", dropped).execute();
    await transaction.deleteFrom("manifest").where("digest", "in", dropped).execute();
  }
  return { manifests, platforms: await dropBlobs(transaction, before) };
}

async function dropBlobs(transaction: Catalog, before: string): Promise<Dropped["platforms"]> {
  const isDue = (e: Outer) =>
    e.and([
      e("platformBlob.until", "is", null),
      e("platformBlob.tombstonedAt", "<=", before),
      e.not(e.exists(manifestsOf(e, false))),
    ]);
  const rows = await transaction
    .selectFrom("platformBlob")
    .innerJoin("blob", "blob.digest", "platformBlob.digest")
    .select((e) => ["platform", e.fn.countAll<number>().as("blobs"), e.fn.sum<number>("blob.size").as("bytes")])
    .where(isDue)
    .groupBy("platform")
    .orderBy("platform")
    .execute();
  for (const { platform } of rows) {
    const { newest } = await transaction
      .selectFrom("generation")
      .select((e) => e.fn.max("number").as("newest"))
      .where("platform", "=", platform)
      .executeTakeFirstOrThrow();
    await transaction
      .updateTable("platformBlob")
      .set({ until: (newest ?? 0) + 1, revision: await pendingRevision(transaction) })
      .where("platform", "=", platform)
      .where(isDue)
      .execute();
  }
  return rows.map(({ platform, blobs, bytes }) => ({ platform, blobs: Number(blobs), bytes: Number(bytes) }));
}

/** Takes the names of repositories away that have neither tags nor manifests left. */
export async function deleteEmptyRepositories(transaction: Catalog): Promise<void> {
  await transaction
    .deleteFrom("repository")
    .where((e) =>
      e.not(e.exists(e.selectFrom("tag").select("tag.name").whereRef("tag.repository", "=", "repository.name"))),
    )
    .where((e) =>
      e.not(
        e.exists(
          e
            .selectFrom("repositoryManifest")
            .select("repositoryManifest.digest")
            .whereRef("repositoryManifest.repository", "=", "repository.name"),
        ),
      ),
    )
    .execute();
}

/** The blobs that a generation up to `number` has dropped from a platform: nothing names their files there any more. */
export async function droppedBlobs(catalog: Catalog, platform: Platform, number: number): Promise<Digest[]> {
  const rows = await catalog
    .selectFrom("platformBlob")
    .select("digest")
    .where("platform", "=", platform)
    .where("until", "<=", number)
    .execute();
  return rows.map(({ digest }) => digest);
}

/** The blobs that are in no platform any more and that no manifest names, with their sizes. */
export async function uselessBlobs(catalog: Catalog): Promise<{ digest: Digest; size: number }[]> {
  return catalog
    .selectFrom("blob")
    .select(["blob.digest", "blob.size"])
    .where((e) =>
      e.not(
        e.exists(
          e
            .selectFrom("platformBlob")
            .select("platformBlob.platform")
            .whereRef("platformBlob.digest", "=", "blob.digest")
            .where("platformBlob.until", "is", null),
        ),
      ),
    )
    .where((e) =>
      e.not(
        e.exists(
          e.selectFrom("manifestRef").select("manifestRef.parent").whereRef("manifestRef.child", "=", "blob.digest"),
        ),
      ),
    )
    .orderBy("blob.digest")
    .execute();
}

/** Forgets blobs whose files are gone from the store. */
export async function deleteBlobs(catalog: Catalog, digests: readonly Digest[]): Promise<void> {
  if (digests.length > 0) await noteRemoval(catalog, "removedBlobs");
  for (const chunk of chunksOf(digests)) await catalog.deleteFrom("blob").where("digest", "in", chunk).execute();
}

/** Forgets that blobs were once in a platform, when the generation that dropped them is `number` or older. */
export async function forgetDropped(catalog: Catalog, platform: Platform, number: number): Promise<void> {
  await catalog.deleteFrom("platformBlob").where("platform", "=", platform).where("until", "<=", number).execute();
}
