import type { Digest } from "../digest.ts";
import type { Platform } from "../platform.ts";
import type { Repository } from "../reference.ts";
import { chunksOf } from "./chunks.ts";
import type { Catalog } from "./open.ts";

/** Which of these the catalog knows, as blobs or as manifests. */
export async function isStored(catalog: Catalog, digests: readonly Digest[]): Promise<Set<Digest>> {
  const known = new Set<Digest>();
  for (const chunk of chunksOf(digests)) {
    for (const table of ["blob", "manifest"] as const) {
      const rows = await catalog.selectFrom(table).select("digest").where("digest", "in", chunk).execute();
      for (const { digest } of rows) known.add(digest);
    }
  }
  return known;
}

/** A blob as it must be on disk: in the store, and under these platforms of the tree. */
export interface StoredBlob {
  readonly digest: Digest;
  readonly size: number;
  readonly platforms: readonly Platform[];
}

/** How many blobs there are, and their bytes. */
export async function countStored(catalog: Catalog): Promise<{ blobs: number; bytes: number }> {
  const { blobs, bytes } = await catalog
    .selectFrom("blob")
    .select((e) => [e.fn.countAll<number>().as("blobs"), e.fn.sum<number | null>("size").as("bytes")])
    .executeTakeFirstOrThrow();
  return { blobs: Number(blobs), bytes: Number(bytes ?? 0) };
}

/** Every blob, sorted by digest, a page at a time. */
export async function* storedBlobs(catalog: Catalog, pageSize: number): AsyncGenerator<StoredBlob[]> {
  for (let after = "" as Digest; ; ) {
    const blobs = await catalog
      .selectFrom("blob")
      .select(["digest", "size"])
      .where("digest", ">", after)
      .orderBy("digest")
      .limit(pageSize)
      .execute();
    const last = blobs.at(-1);
    if (last === undefined) return;
    yield await withPlatforms(catalog, blobs);
    after = last.digest;
  }
}

/** These blobs, those that the catalog knows. */
export async function storedBlobsOf(catalog: Catalog, digests: readonly Digest[]): Promise<StoredBlob[]> {
  const found: StoredBlob[] = [];
  for (const chunk of chunksOf(digests)) {
    const blobs = await catalog.selectFrom("blob").select(["digest", "size"]).where("digest", "in", chunk).execute();
    found.push(...(await withPlatforms(catalog, blobs)));
  }
  return found;
}

async function withPlatforms(
  catalog: Catalog,
  blobs: readonly { digest: Digest; size: number }[],
): Promise<StoredBlob[]> {
  const platforms = new Map<Digest, Platform[]>();
  for (const chunk of chunksOf(blobs.map(({ digest }) => digest))) {
    const rows = await catalog
      .selectFrom("platformBlob")
      .select(["digest", "platform"])
      .where("digest", "in", chunk)
      .where("until", "is", null)
      .orderBy("platform")
      .execute();
    for (const { digest, platform } of rows) platforms.set(digest, [...(platforms.get(digest) ?? []), platform]);
  }
  return blobs.map(({ digest, size }) => ({ digest, size, platforms: platforms.get(digest) ?? [] }));
}

/** The repositories that a blob came with: whose manifests name it. */
export async function repositoriesOfBlob(catalog: Catalog, digest: Digest): Promise<Repository[]> {
  const rows = await catalog
    .selectFrom("manifestRef")
    .innerJoin("repositoryManifest", "repositoryManifest.digest", "manifestRef.parent")
    .select("repositoryManifest.repository")
    .distinct()
    .where("manifestRef.child", "=", digest)
    .execute();
  return rows.map(({ repository }) => repository).sort();
}

/** Which of these blobs are in a platform now, or were until a generation dropped them. */
export async function isPlaced(catalog: Catalog, platform: Platform, digests: readonly Digest[]): Promise<Set<Digest>> {
  const placed = new Set<Digest>();
  for (const chunk of chunksOf(digests)) {
    const rows = await catalog
      .selectFrom("platformBlob")
      .select("digest")
      .where("platform", "=", platform)
      .where("digest", "in", chunk)
      .execute();
    for (const { digest } of rows) placed.add(digest);
  }
  return placed;
}
