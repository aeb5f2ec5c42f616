import type { Generation, ListEntry } from "../generation.ts";
import type { Platform } from "../platform.ts";
import { bumpRevision, type Catalog } from "./open.ts";

/** The newest generation of a platform, or undefined before its first. */
export async function latestGeneration(catalog: Catalog, platform: Platform): Promise<Generation | undefined> {
  return catalog
    .selectFrom("generation")
    .selectAll()
    .where("platform", "=", platform)
    .orderBy("number", "desc")
    .limit(1)
    .executeTakeFirst();
}

/** The newest generation of every platform. */
export async function latestGenerations(catalog: Catalog): Promise<Generation[]> {
  const numbers = catalog
    .selectFrom("generation")
    .select((e) => ["platform", e.fn.max("number").as("newest")])
    .groupBy("platform")
    .as("latest");
  return catalog
    .selectFrom("generation")
    .innerJoin(numbers, (join) =>
      join.onRef("latest.platform", "=", "generation.platform").onRef("latest.newest", "=", "generation.number"),
    )
    .selectAll("generation")
    .orderBy("generation.platform")
    .execute();
}

/** What a platform holds in a generation, sorted by digest. Cost: one row per blob of the platform. */
export async function blobsOfGeneration(catalog: Catalog, platform: Platform, number: number): Promise<ListEntry[]> {
  return catalog
    .selectFrom("platformBlob")
    .innerJoin("blob", "blob.digest", "platformBlob.digest")
    .select(["blob.digest", "blob.size"])
    .where("platform", "=", platform)
    .where("since", "<=", number)
    .where((e) => e.or([e("until", "is", null), e("until", ">", number)]))
    .orderBy("blob.digest")
    .execute();
}

/** What came with a generation and what went, each sorted by digest. Cost: one row per change. */
export async function changesOfGeneration(
  catalog: Catalog,
  platform: Platform,
  number: number,
): Promise<{ added: ListEntry[]; removed: ListEntry[] }> {
  const changed = (column: "since" | "until") =>
    catalog
      .selectFrom("platformBlob")
      .innerJoin("blob", "blob.digest", "platformBlob.digest")
      .select(["blob.digest", "blob.size"])
      .where("platform", "=", platform)
      .where(column, "=", number)
      .orderBy("blob.digest")
      .execute();
  return { added: await changed("since"), removed: await changed("until") };
}

/** The platforms whose set of blobs has changed since their newest generation. */
export async function pendingPlatforms(catalog: Catalog): Promise<Platform[]> {
  const rows = await catalog
    .selectFrom("platformBlob")
    .leftJoin(
      (e) =>
        e
          .selectFrom("generation")
          .select((g) => ["platform as of", g.fn.max("number").as("newest")])
          .groupBy("platform")
          .as("latest"),
      (join) => join.onRef("latest.of", "=", "platformBlob.platform"),
    )
    .select("platformBlob.platform")
    .distinct()
    .where((e) =>
      e.or([
        e("latest.newest", "is", null),
        e("since", ">", e.ref("latest.newest")),
        e("until", ">", e.ref("latest.newest")),
      ]),
    )
    .orderBy("platformBlob.platform")
    .execute();
  return rows.map((row) => row.platform);
}

/** Records a platform's next generation. */
export async function recordGeneration(catalog: Catalog, generation: Generation): Promise<void> {
  await catalog.transaction().execute(async (transaction) => {
    await transaction.insertInto("generation").values(generation).execute();
    await bumpRevision(transaction);
  });
}
