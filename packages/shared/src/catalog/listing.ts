import { sql } from "kysely";
import type { Digest } from "../digest.ts";
import type { Platform } from "../platform.ts";
import type { Repository, Tag } from "../reference.ts";
import { chunksOf } from "./chunks.ts";
import type { Catalog } from "./open.ts";

/** An image as `syncer images` lists it. */
export interface ListedImage {
  readonly repository: Repository;
  readonly tag: Tag;
  readonly digest: Digest;
  readonly platforms: readonly Platform[];
  /** Of its configurations and layers, each once, in bytes. */
  readonly size: number;
}

/** All tags, with what they lead to. Cost: a row per tag, and one per manifest and per blob below each. */
export async function listImages(catalog: Catalog): Promise<ListedImage[]> {
  const tags = await catalog
    .selectFrom("tag")
    .select(["repository", "name", "digest"])
    .orderBy("repository")
    .orderBy("name")
    .execute();
  // Many tags can name one image.
  const tops = [...new Set(tags.map(({ digest }) => digest))];
  const platforms = new Map<Digest, Platform[]>();
  const sizes = new Map<Digest, number>();
  for (const chunk of chunksOf(tops)) {
    for (const { top, platform } of await platformsBelow(catalog, chunk)) {
      platforms.set(top, [...(platforms.get(top) ?? []), platform]);
    }
    for (const { top, size } of await sizesBelow(catalog, chunk)) sizes.set(top, Number(size));
  }
  return tags.map(({ repository, name, digest }) => ({
    repository,
    tag: name,
    digest,
    platforms: platforms.get(digest) ?? [],
    size: sizes.get(digest) ?? 0,
  }));
}

/** Pairs of a manifest and one that it leads to, itself included. */
function below(catalog: Catalog, tops: readonly Digest[]) {
  return catalog.withRecursive("reached(top, digest)", (db) =>
    db
      .selectFrom("manifest")
      .select(["digest as top", "digest"])
      .where("digest", "in", tops)
      .union(
        db
          .selectFrom("reached")
          .innerJoin("manifestRef", "manifestRef.parent", "reached.digest")
          .select(["reached.top", "manifestRef.child as digest"])
          .where("manifestRef.role", "=", "manifest"),
      ),
  );
}

function platformsBelow(catalog: Catalog, tops: readonly Digest[]) {
  return below(catalog, tops)
    .selectFrom("reached")
    .innerJoin("manifestPlatform", "manifestPlatform.digest", "reached.digest")
    .select(["reached.top", "manifestPlatform.platform"])
    .distinct()
    .orderBy("manifestPlatform.platform")
    .execute();
}

function sizesBelow(catalog: Catalog, tops: readonly Digest[]) {
  return below(catalog, tops)
    .with("used", (db) =>
      db
        .selectFrom("reached")
        .innerJoin("manifestRef", "manifestRef.parent", "reached.digest")
        .select(["reached.top", "manifestRef.child"])
        .distinct()
        .where("manifestRef.role", "in", ["config", "layer"]),
    )
    .selectFrom("used")
    .innerJoin("blob", "blob.digest", "used.child")
    .select(["used.top", sql<number>`sum(blob.size)`.as("size")])
    .groupBy("used.top")
    .execute();
}

/** What stands in the way of deleting a blob: which manifest names it, where, and in which platforms it is published. */
export interface Need {
  readonly digest: Digest;
  readonly repositories: readonly Repository[];
  readonly platforms: readonly Platform[];
}

/** Of these digests, those that something published needs. */
export async function findNeeds(catalog: Catalog, digests: readonly Digest[]): Promise<Map<Digest, Need>> {
  const needs = new Map<Digest, { digest: Digest; repositories: Set<Repository>; platforms: Set<Platform> }>();
  const needOf = (digest: Digest) => {
    const known = needs.get(digest) ?? { digest, repositories: new Set(), platforms: new Set() };
    needs.set(digest, known);
    return known;
  };
  for (const chunk of chunksOf(digests)) {
    const named = await catalog
      .selectFrom("manifestRef")
      .leftJoin("repositoryManifest", "repositoryManifest.digest", "manifestRef.parent")
      .select(["manifestRef.child as digest", "repositoryManifest.repository"])
      .distinct()
      .where("manifestRef.child", "in", chunk)
      .execute();
    const manifests = await catalog
      .selectFrom("manifest")
      .leftJoin("repositoryManifest", "repositoryManifest.digest", "manifest.digest")
      .select(["manifest.digest", "repositoryManifest.repository"])
      .where("manifest.digest", "in", chunk)
      .execute();
    for (const { digest, repository } of [...named, ...manifests]) {
      const need = needOf(digest);
      if (repository !== null) need.repositories.add(repository);
    }
    // A tombstone's blob is published until the generation that drops it.
    const placed = await catalog
      .selectFrom("platformBlob")
      .select(["digest", "platform"])
      .where("digest", "in", chunk)
      .where("until", "is", null)
      .execute();
    for (const { digest, platform } of placed) needOf(digest).platforms.add(platform);
  }
  const sorted = <T extends string>(names: Set<T>) => [...names].sort();
  return new Map(
    [...needs].map(([digest, { repositories, platforms }]) => [
      digest,
      { digest, repositories: sorted(repositories), platforms: sorted(platforms) },
    ]),
  );
}
