import type { Digest } from "../digest.ts";
import type { Platform } from "../platform.ts";
import type { Repository } from "../reference.ts";
import type { Catalog } from "./open.ts";

/** What the syncer asks the catalog, so that nothing is fetched twice. */

/** A manifest as it was carried. */
export interface CarriedManifest {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  /** The platforms that its blobs are published under. */
  readonly platforms: readonly Platform[];
  /** Nothing leads to it any more: it and its blobs are going to be removed, unless an image is recorded with it. */
  readonly isOnItsWayOut: boolean;
}

/** A manifest, if it was carried and is still there. */
export async function readCarriedManifest(catalog: Catalog, digest: Digest): Promise<CarriedManifest | undefined> {
  const rows = await catalog
    .selectFrom("manifest")
    .leftJoin("manifestPlatform", "manifestPlatform.digest", "manifest.digest")
    .select(["manifest.bytes", "manifest.mediaType", "manifest.unneededSince", "manifestPlatform.platform"])
    .where("manifest.digest", "=", digest)
    .execute();
  const [first] = rows;
  if (first === undefined) return undefined;
  const { bytes, mediaType, unneededSince } = first;
  const platforms = rows.flatMap(({ platform }) => platform ?? []);
  return { bytes, mediaType, platforms, isOnItsWayOut: unneededSince !== null };
}

/** Can the manifest be asked for in that repository? */
export async function isManifestIn(catalog: Catalog, repository: Repository, digest: Digest): Promise<boolean> {
  const row = await catalog
    .selectFrom("repositoryManifest")
    .select("digest")
    .where("repository", "=", repository)
    .where("digest", "=", digest)
    .executeTakeFirst();
  return row !== undefined;
}

/** Is a tag of the repository carried? */
export async function hasTags(catalog: Catalog, repository: Repository): Promise<boolean> {
  const row = await catalog
    .selectFrom("tag")
    .select("name")
    .where("repository", "=", repository)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** The bytes of a small blob (a configuration), if they are kept. */
export async function readContent(catalog: Catalog, digest: Digest): Promise<Uint8Array | undefined> {
  const row = await catalog.selectFrom("blob").select("content").where("digest", "=", digest).executeTakeFirst();
  return row?.content ?? undefined;
}

/** Was the source seen to have a referrers API? */
export async function readReferrersApi(catalog: Catalog): Promise<boolean> {
  const row = await catalog.selectFrom("meta").select("value").where("key", "=", "referrersApi").executeTakeFirst();
  return Number(row?.value ?? 0) === 1;
}

export async function writeReferrersApi(catalog: Catalog, hasApi: boolean): Promise<void> {
  const value = hasApi ? 1 : 0;
  await catalog
    .insertInto("meta")
    .values({ key: "referrersApi", value })
    .onConflict((c) => c.column("key").doUpdateSet({ value }))
    .execute();
}
