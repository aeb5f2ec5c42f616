import type { Selectable } from "kysely";
import type { Digest } from "../digest.ts";
import type { Generation } from "../generation.ts";
import type { Platform } from "../platform.ts";
import type { Repository, Tag } from "../reference.ts";
import type { Catalog } from "./open.ts";
import type { CatalogSchema } from "./schema.ts";

/**
 * What the mirror list reads to hold the served state in memory. Everything that is addressed by digest never
 * changes, so that a reader which has it already asks for the new ones alone. Call these within one transaction to
 * see one moment of the catalog.
 */

/** How many digests are asked for in one statement; SQLite's own limit is far above. */
const CHUNK = 500;

export async function readRepositories(catalog: Catalog): Promise<Repository[]> {
  const rows = await catalog.selectFrom("repository").select("name").execute();
  return rows.map((row) => row.name);
}

export async function readTags(catalog: Catalog): Promise<{ repository: Repository; name: Tag; digest: Digest }[]> {
  return catalog.selectFrom("tag").select(["repository", "name", "digest"]).execute();
}

/** Which manifests can be asked for in which repository. */
export async function readRepositoryManifests(catalog: Catalog): Promise<{ repository: Repository; digest: Digest }[]> {
  return catalog.selectFrom("repositoryManifest").selectAll().execute();
}

/** The manifests with these digests, a chunk at a time. */
export async function* readManifests(
  catalog: Catalog,
  digests: readonly Digest[],
): AsyncGenerator<Selectable<CatalogSchema["manifest"]>[]> {
  for (let start = 0; start < digests.length; start += CHUNK) {
    const chunk = digests.slice(start, start + CHUNK);
    yield await catalog.selectFrom("manifest").selectAll().where("digest", "in", chunk).execute();
  }
}

export async function readContentDigests(catalog: Catalog): Promise<Digest[]> {
  const rows = await catalog.selectFrom("blob").select("digest").where("content", "is not", null).execute();
  return rows.map((row) => row.digest);
}

/** The small blobs with these digests (configurations), a chunk at a time. */
export async function* readContents(
  catalog: Catalog,
  digests: readonly Digest[],
): AsyncGenerator<{ digest: Digest; content: Uint8Array | null }[]> {
  for (let start = 0; start < digests.length; start += CHUNK) {
    const chunk = digests.slice(start, start + CHUNK);
    yield await catalog.selectFrom("blob").select(["digest", "content"]).where("digest", "in", chunk).execute();
  }
}

export async function countBlobs(catalog: Catalog): Promise<number> {
  const row = await catalog
    .selectFrom("blob")
    .select((e) => e.fn.countAll<number>().as("count"))
    .executeTakeFirstOrThrow();
  return Number(row.count);
}

/** A blob in one platform of the tree; a blob of several platforms has as many rows, one after another. */
export interface PlacementRow {
  readonly digest: Digest;
  readonly size: number;
  readonly platform: Platform | null;
  readonly since: number | null;
}

/**
 * Every blob, sorted by digest, in pages of about `pageSize`, with the platforms that it is in now: what was dropped,
 * or has a tombstone, has no row there. A blob that is in none comes once, without a platform.
 */
export async function* readPlacements(catalog: Catalog, pageSize: number): AsyncGenerator<PlacementRow[]> {
  for (let after = ""; ; ) {
    const blobs = catalog
      .selectFrom("blob")
      .select(["digest", "size"])
      .where("digest", ">", after as Digest)
      .orderBy("digest")
      .limit(pageSize)
      .as("page");
    const rows = await catalog
      .selectFrom(blobs)
      .leftJoin("platformBlob", (join) =>
        join
          .onRef("platformBlob.digest", "=", "page.digest")
          .on("platformBlob.until", "is", null)
          .on("platformBlob.tombstonedAt", "is", null),
      )
      .select(["page.digest", "page.size", "platformBlob.platform", "platformBlob.since"])
      .orderBy("page.digest")
      .orderBy("platformBlob.platform")
      .execute();
    const last = rows.at(-1);
    if (last === undefined) return;
    yield rows;
    after = last.digest;
  }
}

/** Was this generation, with this very list, made here? What a mirror shows is compared with it. */
export async function isKnownGeneration(catalog: Catalog, generation: Generation): Promise<boolean> {
  const row = await catalog
    .selectFrom("generation")
    .select("listSha256")
    .where("platform", "=", generation.platform)
    .where("number", "=", generation.number)
    .executeTakeFirst();
  return row?.listSha256 === generation.listSha256;
}
