import type { Digest } from "../digest.ts";
import type { Generation, ListEntry } from "../generation.ts";
import type { Platform } from "../platform.ts";
import { readByCursor } from "./cursor.ts";
import { bumpRevision, type Catalog, isPostgresCatalog } from "./open.ts";

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

/** A generation of a platform, if there was one with that number. */
export async function readGeneration(
  catalog: Catalog,
  platform: Platform,
  number: number,
): Promise<Generation | undefined> {
  return catalog
    .selectFrom("generation")
    .selectAll()
    .where("platform", "=", platform)
    .where("number", "=", number)
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

/** How many rows of a list are in memory at a time. */
const PAGE = 1000;

/** What a platform holds in a generation, sorted by digest, a page at a time. Cost: one row per blob of the platform. */
export async function* listPages(catalog: Catalog, platform: Platform, number: number): AsyncGenerator<ListEntry[]> {
  const list = catalog
    .selectFrom("platformBlob")
    .innerJoin("blob", "blob.digest", "platformBlob.digest")
    .select(["platformBlob.digest", "blob.size"])
    .where("platform", "=", platform)
    .where("since", "<=", number)
    .where((e) => e.or([e("until", "is", null), e("until", ">", number)]))
    .orderBy("platformBlob.digest");
  if (isPostgresCatalog(catalog)) yield* readByCursor(catalog, list);
  else yield* pages((after) => list.where("platformBlob.digest", ">", after).limit(PAGE).execute());
}

/** A blob that came or went; its size is unknown once it has gone from the store too. */
export interface ChangedBlob {
  readonly digest: Digest;
  readonly size: number | null;
}

/** What came with a generation, or went, sorted by digest, a page at a time. Cost: one row per change. */
export async function* changePages(
  catalog: Catalog,
  platform: Platform,
  number: number,
  kind: "added" | "removed",
): AsyncGenerator<ChangedBlob[]> {
  yield* pages((after) => {
    const changed = catalog
      .selectFrom("platformBlob")
      .leftJoin("blob", "blob.digest", "platformBlob.digest")
      .select(["platformBlob.digest", "blob.size"])
      .where("platform", "=", platform)
      .where("platformBlob.digest", ">", after)
      .orderBy("platformBlob.digest")
      .limit(PAGE);
    // What came and went before a generation was made was never in one.
    return kind === "added"
      ? changed
          .where("since", "=", number)
          .where((e) => e.or([e("until", "is", null), e("until", ">", number)]))
          .execute()
      : changed.where("until", "=", number).where("since", "<", number).execute();
  });
}

async function* pages<Row extends { digest: Digest }>(read: (after: Digest) => Promise<Row[]>): AsyncGenerator<Row[]> {
  for (let after = "" as Digest; ; ) {
    const rows = await read(after);
    const last = rows.at(-1);
    if (last === undefined) return;
    yield rows;
    if (rows.length < PAGE) return;
    after = last.digest;
  }
}

/** The platforms whose set of blobs has changed since their newest generation. Cost: one row per manifest. */
export async function pendingPlatforms(catalog: Catalog): Promise<Platform[]> {
  const newest = new Map((await latestGenerations(catalog)).map(({ platform, number }) => [platform, number]));
  const used = await catalog.selectFrom("manifestPlatform").select("platform").distinct().execute();
  const pending: Platform[] = [];
  for (const platform of new Set([...newest.keys(), ...used.map((row) => row.platform)])) {
    if (await hasChanged(catalog, platform, newest.get(platform) ?? 0)) pending.push(platform);
  }
  return pending.sort();
}

async function hasChanged(catalog: Catalog, platform: Platform, number: number): Promise<boolean> {
  for (const column of ["since", "until"] as const) {
    const found = await catalog
      .selectFrom("platformBlob")
      .select("digest")
      .where("platform", "=", platform)
      .where(column, ">", number)
      // Added and dropped again in between: no change.
      .where((e) => e.or([e("until", "is", null), e(e.ref("until"), "!=", e.ref("since"))]))
      .limit(1)
      .executeTakeFirst();
    if (found !== undefined) return true;
  }
  return false;
}

/** Records a platform's next generation. */
export async function recordGeneration(catalog: Catalog, generation: Generation): Promise<void> {
  await catalog.transaction().execute(async (transaction) => {
    await transaction.insertInto("generation").values(generation).execute();
    await bumpRevision(transaction);
  });
}
