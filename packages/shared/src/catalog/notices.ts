import type { Selectable } from "kysely";
import type { Platform } from "../platform.ts";
import type { Catalog } from "./open.ts";
import type { CatalogSchema } from "./schema.ts";

export type Notice = Selectable<CatalogSchema["notice"]>;

/** Something to be told: at most once for a key, to each destination. */
export interface NoticeRecord {
  readonly key: string;
  readonly topic: string;
  /** JSON. */
  readonly body: string;
}

/** Writes notices down for destinations; those that are there already are left as they are. Returns how many are new. */
export async function recordNotices(
  catalog: Catalog,
  records: readonly NoticeRecord[],
  destinations: readonly string[],
  now: Date,
): Promise<number> {
  const at = now.toISOString();
  const rows = records.flatMap((record) =>
    destinations.map((destination) => ({ ...record, destination, createdAt: at, attempts: 0, notBefore: at })),
  );
  if (rows.length === 0) return 0;
  const inserted = await catalog
    .insertInto("notice")
    .values(rows)
    .onConflict((c) => c.columns(["key", "destination"]).doNothing())
    .returning("id")
    .execute();
  return inserted.length;
}

/** What is to be told now, in the order of its occasions. */
export async function dueNotices(catalog: Catalog, now: Date, limit: number): Promise<Notice[]> {
  return catalog
    .selectFrom("notice")
    .selectAll()
    .where("finishedAt", "is", null)
    .where("notBefore", "<=", now.toISOString())
    .orderBy("id")
    .limit(limit)
    .execute();
}

/** Notes that a notice was taken, or given up (with a reason), or is to be told again later. */
export async function settleNotice(
  catalog: Catalog,
  { id, attempts }: Notice,
  outcome:
    | { readonly finishedAt: Date; readonly reason?: string }
    | { readonly notBefore: Date; readonly reason: string },
): Promise<void> {
  const time =
    "finishedAt" in outcome
      ? { finishedAt: outcome.finishedAt.toISOString() }
      : { notBefore: outcome.notBefore.toISOString() };
  await catalog
    .updateTable("notice")
    .set({ ...time, attempts: attempts + 1, reason: outcome.reason ?? null })
    .where("id", "=", id)
    .execute();
}

export async function pruneNotices(catalog: Catalog, before: Date): Promise<void> {
  await catalog.deleteFrom("notice").where("finishedAt", "<", before.toISOString()).execute();
}

/** A generation that so many of the mirrors have. */
export interface Propagated {
  readonly platform: Platform;
  readonly generation: number;
  readonly mirrors: number;
  readonly madeAt: string;
  /** When that share of them had it. */
  readonly at: string;
}

/** The generations made since a time that half, nine tenths, or all of the mirrors have. */
export async function readPropagated(catalog: Catalog, percent: 50 | 90 | 100, since: Date): Promise<Propagated[]> {
  const column = ({ 50: "halfAt", 90: "ninetyAt", 100: "allAt" } as const)[percent];
  const rows = await catalog
    .selectFrom("propagation")
    .select(["platform", "generation", "mirrors", "madeAt", `${column} as at`])
    .where("madeAt", ">=", since.toISOString())
    .where(column, "is not", null)
    .orderBy("madeAt")
    .execute();
  return rows.flatMap(({ at, ...row }) => (at === null ? [] : [{ ...row, at }]));
}
