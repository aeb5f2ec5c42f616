import { type Selectable, sql } from "kysely";
import type { Digest } from "../digest.ts";
import type { Generation } from "../generation.ts";
import type { Platform } from "../platform.ts";
import type { Repository, Tag } from "../reference.ts";
import { chunksOf } from "./chunks.ts";
import type { Catalog } from "./open.ts";
import type { CatalogSchema } from "./schema.ts";

/**
 * What the mirror list reads to hold the served state in memory: all of it once, afterwards what a later revision has
 * changed. Call these within one transaction to see one moment of the catalog. Everything comes in pages, which take a
 * few milliseconds each on a catalog of any size: SQLite answers on the caller's own thread.
 */

/** How many digests are asked for in one statement; SQLite's own limit is far above. */
const CHUNK = 200;

/** How many rows are read at a time. */
const PAGE = 1000;

/** Reads a table in the order of one of its indexes, each page from where the last one ended. */
async function* pages<Row>(pageSize: number, read: (last: Row | undefined) => Promise<Row[]>): AsyncGenerator<Row[]> {
  for (let last: Row | undefined; ; ) {
    const rows = await read(last);
    if (rows.length > 0) yield rows;
    if (rows.length < pageSize) return;
    last = rows.at(-1);
  }
}

export async function readRepositories(catalog: Catalog): Promise<Repository[]> {
  const rows = await catalog.selectFrom("repository").select("name").execute();
  return rows.map((row) => row.name);
}

export interface TagRow {
  readonly repository: Repository;
  readonly name: Tag;
  readonly digest: Digest;
  readonly revision: number;
}

/** The tags that were set after a revision; all of them after -1. */
export function tagPages(catalog: Catalog, after: number, pageSize = PAGE): AsyncGenerator<TagRow[]> {
  return pages(pageSize, (last) => {
    const [revision, repository, name] = last ? [last.revision, last.repository, last.name] : [after + 1, "", ""];
    return execute<TagRow>(
      catalog,
      sql`select repository, name, digest, revision from tag
          where (revision, repository, name) > (${revision}, ${repository}, ${name})
          order by revision, repository, name limit ${pageSize}`,
    );
  });
}

/** A manifest that can be asked for in a repository. */
export interface MemberRow {
  readonly repository: Repository;
  readonly digest: Digest;
  readonly revision: number;
}

/** The manifests that came to a repository after a revision; all of them after -1. */
export function memberPages(catalog: Catalog, after: number, pageSize = PAGE): AsyncGenerator<MemberRow[]> {
  return pages(pageSize, (last) => {
    const [revision, repository, digest] = last ? [last.revision, last.repository, last.digest] : [after + 1, "", ""];
    return execute<MemberRow>(
      catalog,
      sql`select repository, digest, revision from repository_manifest
          where (revision, repository, digest) > (${revision}, ${repository}, ${digest})
          order by revision, repository, digest limit ${pageSize}`,
    );
  });
}

/** The manifests with these digests. */
export async function* readManifests(
  catalog: Catalog,
  digests: readonly Digest[],
): AsyncGenerator<Selectable<CatalogSchema["manifest"]>[]> {
  for (const chunk of chunksOf(digests, CHUNK)) {
    yield await catalog.selectFrom("manifest").selectAll().where("digest", "in", chunk).execute();
  }
}

/** The small blobs (configurations) with these digests; one that is not kept is left out. */
export async function* readContents(
  catalog: Catalog,
  digests: readonly Digest[],
): AsyncGenerator<{ digest: Digest; content: Uint8Array }[]> {
  for (const chunk of chunksOf(digests, CHUNK)) {
    const rows = await catalog.selectFrom("blob").select(["digest", "content"]).where("digest", "in", chunk).execute();
    yield rows.flatMap(({ digest, content }) => (content === null ? [] : [{ digest, content }]));
  }
}

/** All small blobs that are kept. */
export function contentPages(
  catalog: Catalog,
  pageSize = CHUNK,
): AsyncGenerator<{ digest: Digest; content: Uint8Array }[]> {
  return pages(pageSize, (last) =>
    execute<{ digest: Digest; content: Uint8Array }>(
      catalog,
      sql`select digest, content from blob where content is not null and digest > ${last?.digest ?? ""}
          order by digest limit ${pageSize}`,
    ),
  );
}

export async function countBlobs(catalog: Catalog): Promise<number> {
  const row = await catalog
    .selectFrom("blob")
    .select((e) => e.fn.countAll<number>().as("count"))
    .executeTakeFirstOrThrow();
  return Number(row.count);
}

export interface BlobRow {
  readonly digest: Digest;
  readonly size: number;
}

/** Every blob there is. */
export function blobPages(catalog: Catalog, pageSize = PAGE): AsyncGenerator<BlobRow[]> {
  return pages(pageSize, (last) =>
    execute<BlobRow>(
      catalog,
      sql`select digest, size from blob where digest > ${last?.digest ?? ""} order by digest limit ${pageSize}`,
    ),
  );
}

/** A blob in a platform of the tree; a blob of several platforms has as many rows. */
export interface PlacementRow {
  readonly platform: Platform;
  readonly digest: Digest;
  readonly since: number;
}

/** Where the blobs are now: what was dropped, or has a tombstone, has no row. */
export function placementPages(catalog: Catalog, pageSize = PAGE): AsyncGenerator<PlacementRow[]> {
  return pages(pageSize, (last) =>
    execute<PlacementRow>(
      catalog,
      sql`select platform, digest, since from platform_blob
          where (platform, digest) > (${last?.platform ?? ""}, ${last?.digest ?? ""})
          and until is null and tombstoned_at is null
          order by platform, digest limit ${pageSize}`,
    ),
  );
}

/** What has become of a blob in a platform: it came, or it has been dropped or was given a tombstone. */
export interface PlacementChange extends PlacementRow {
  /** Null when the blob itself is gone meanwhile. */
  readonly size: number | null;
  readonly until: number | null;
  readonly tombstonedAt: string | null;
  readonly revision: number;
}

/** What has changed after a revision. Cost: a row per change. */
export function placementChangePages(
  catalog: Catalog,
  after: number,
  pageSize = PAGE,
): AsyncGenerator<PlacementChange[]> {
  return pages(pageSize, (last) => {
    const [revision, platform, digest] = last ? [last.revision, last.platform, last.digest] : [after + 1, "", ""];
    return execute<PlacementChange>(
      catalog,
      sql`select changed.*, blob.size from (
            select platform, digest, since, until, tombstoned_at as "tombstonedAt", revision from platform_blob
            where (revision, platform, digest) > (${revision}, ${platform}, ${digest})
            order by revision, platform, digest limit ${pageSize}
          ) changed left join blob on blob.digest = changed.digest
          order by revision, platform, changed.digest`,
    );
  });
}

/** The newest revisions in which rows were taken out, which no other reader here can tell; 0 when none ever was. */
export async function readRemovals(catalog: Catalog): Promise<{ readonly images: number; readonly blobs: number }> {
  const rows = await catalog.selectFrom("meta").selectAll().execute();
  const revisionOf = (wanted: string) => Number(rows.find(({ key }) => key === wanted)?.value ?? 0);
  return { images: revisionOf("removedImages"), blobs: revisionOf("removedBlobs") };
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

/** Without the plugin that renames columns, which takes ten times as long as the reading. */
async function execute<Row>(catalog: Catalog, query: ReturnType<typeof sql>): Promise<Row[]> {
  const { rows } = await query.execute(catalog.withoutPlugins());
  return rows as Row[];
}
