import type { Digest } from "../digest.ts";
import type { Platform } from "../platform.ts";
import { chunksOf } from "./chunks.ts";
import type { Catalog } from "./open.ts";

/** What a publish target was given last. */
export interface Published {
  readonly platform: Platform;
  readonly number: number;
  /** When all of the target was last compared with the tree, ISO 8601. */
  readonly fullAt: string;
}

/** A blob's place in the tree. */
export interface Place {
  readonly platform: Platform;
  readonly digest: Digest;
}

export async function readPublished(catalog: Catalog, target: string): Promise<Published[]> {
  return catalog
    .selectFrom("published")
    .select(["platform", "number", "fullAt"])
    .where("target", "=", target)
    .execute();
}

/** Writes down what a target has now; what is not in `published` is forgotten. */
export async function recordPublished(
  catalog: Catalog,
  target: string,
  published: readonly Published[],
): Promise<void> {
  await catalog.transaction().execute(async (transaction) => {
    await transaction.deleteFrom("published").where("target", "=", target).execute();
    for (const row of published)
      await transaction
        .insertInto("published")
        .values({ target, ...row })
        .execute();
  });
}

/** What came to a platform after generation `since`, and is in generation `until`; at most `limit` of them. */
export async function addedPlaces(
  catalog: Catalog,
  platform: Platform,
  { since, until, limit }: { since: number; until: number; limit: number },
): Promise<Place[]> {
  return catalog
    .selectFrom("platformBlob")
    .select(["platform", "digest"])
    .where("platform", "=", platform)
    .where("since", ">", since)
    .where("since", "<=", until)
    .where((e) => e.or([e("until", "is", null), e("until", ">", until)]))
    .limit(limit)
    .execute();
}

/** What generations after `since`, up to `until`, dropped from a platform and none has brought back. */
export async function droppedPlaces(
  catalog: Catalog,
  platform: Platform,
  { since, until }: { since: number; until: number },
): Promise<Place[]> {
  return catalog
    .selectFrom("platformBlob")
    .select(["platform", "digest"])
    .where("platform", "=", platform)
    .where("until", ">", since)
    .where("until", "<=", until)
    .execute();
}

/** Everywhere in the tree where these blobs are now. */
export async function placesOf(catalog: Catalog, digests: readonly Digest[]): Promise<Place[]> {
  const found: Place[] = [];
  for (const chunk of chunksOf(digests)) {
    found.push(
      ...(await catalog
        .selectFrom("platformBlob")
        .select(["platform", "digest"])
        .where("digest", "in", chunk)
        .where("until", "is", null)
        .execute()),
    );
  }
  return found;
}
