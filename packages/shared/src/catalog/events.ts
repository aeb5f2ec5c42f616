import type { ExpressionBuilder, Insertable } from "kysely";
import type { Digest } from "../digest.ts";
import type { Repository, Tag } from "../reference.ts";
import { chunksOf } from "./chunks.ts";
import type { Catalog } from "./open.ts";
import type { CatalogSchema } from "./schema.ts";
import type { EventState } from "./schema-events.ts";

export type { EventState } from "./schema-events.ts";

/** An event as it is written down: what is to be synced, or why nobody can tell. */
export interface EventRecord {
  readonly source: string;
  readonly key: string;
  readonly part: number;
  readonly topic: string;
  readonly body: Uint8Array | undefined;
  readonly wanted:
    | { readonly repository: Repository; readonly tag?: Tag; readonly digest?: Digest; readonly optional: boolean }
    | { readonly parked: string };
}

/** Rows of one insert: SQLite takes 32,766 values in a statement, and a long one costs memory. */
const ROWS_AT_ONCE = 200;

/**
 * Writes events down, all of them in one transaction: once this resolves they are on the disk. One that is there already
 * (by source, key and part) is left as it is. Returns the ids of the new ones, in their order.
 */
export async function recordEvents(catalog: Catalog, records: readonly EventRecord[], now: Date): Promise<number[]> {
  const ids: number[] = [];
  const at = now.toISOString();
  await catalog.transaction().execute(async (transaction) => {
    for (const chunk of chunksOf(records, ROWS_AT_ONCE)) {
      const inserted = await transaction
        .insertInto("event")
        .values(chunk.map((record) => rowOf(record, at)))
        .onConflict((c) => c.columns(["source", "key", "part"]).doNothing())
        .returning("id")
        .execute();
      ids.push(...inserted.map(({ id }) => id));
    }
  });
  return ids;
}

function rowOf({ wanted, body, ...record }: EventRecord, at: string): Insertable<CatalogSchema["event"]> {
  const common = { ...record, body: body ?? null, receivedAt: at, attempts: 0, notBefore: at };
  if ("parked" in wanted) {
    const nothing = { repository: null, tag: null, digest: null, optional: 0 };
    return { ...common, ...nothing, state: "parked", finishedAt: at, reason: wanted.parked };
  }
  const { repository, tag, digest = null, optional } = wanted;
  return { ...common, repository, tag: tag ?? null, digest, optional: Number(optional), state: "waiting" };
}

/** Events that wait for one and the same sync. */
export interface EventGroup {
  readonly repository: Repository;
  /** Without it, all of the repository. */
  readonly tag?: Tag;
  /** What the newest of them says that the tag is. */
  readonly digest?: Digest;
  /** Those up to this id: what came later waits for the next sync. */
  readonly throughId: number;
  readonly events: number;
  /** How often the sync has failed. */
  readonly attempts: number;
  /** Is it a failure of none of them that the source has not got it? */
  readonly optional: boolean;
  /** When the first of them came, ISO 8601. */
  readonly oldest: string;
}

/** What is due, the longest waiting first, at most `limit` syncs. */
export async function dueEvents(catalog: Catalog, now: Date, limit: number): Promise<EventGroup[]> {
  const rows = await catalog
    .selectFrom("event")
    .select((e) => [
      "repository",
      "tag",
      e.fn.max("id").as("throughId"),
      e.fn.countAll().as("events"),
      e.fn.max("attempts").as("attempts"),
      e.fn.min("optional").as("optional"),
      e.fn.min("receivedAt").as("oldest"),
    ])
    .where("state", "=", "waiting")
    .where("notBefore", "<=", now.toISOString())
    .groupBy(["repository", "tag"])
    .orderBy("oldest")
    .orderBy("throughId")
    .limit(limit)
    .execute();
  const digests = await digestsOf(
    catalog,
    rows.map(({ throughId }) => throughId),
  );
  return rows.flatMap(({ repository, tag, optional, events, ...row }) => {
    if (repository === null) return [];
    const digest = digests.get(row.throughId);
    const reference = { repository, ...(tag === null ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
    return [{ ...reference, ...row, events: Number(events), optional: optional === 1 }];
  });
}

async function digestsOf(catalog: Catalog, ids: readonly number[]): Promise<Map<number, Digest>> {
  const found = new Map<number, Digest>();
  for (const chunk of chunksOf(ids)) {
    const rows = await catalog.selectFrom("event").select(["id", "digest"]).where("id", "in", chunk).execute();
    for (const { id, digest } of rows) if (digest !== null) found.set(id, digest);
  }
  return found;
}

/** When the next event is due, whether that is over or to come; undefined when nothing waits. */
export async function nextEventAt(catalog: Catalog): Promise<Date | undefined> {
  const { at } = await catalog
    .selectFrom("event")
    .select((e) => e.fn.min("notBefore").as("at"))
    .where("state", "=", "waiting")
    .executeTakeFirstOrThrow();
  return at === null ? undefined : new Date(at);
}

/** What became of a group that was due at `asOf`. */
export type GroupOutcome =
  | { readonly state: "done"; readonly reason?: string }
  | { readonly state: "waiting"; readonly reason: string; readonly notBefore: Date }
  | { readonly state: "parked"; readonly reason: string };

/** Notes what became of groups, in one transaction. What came, or was asked for again, since `asOf` is left to wait. */
export async function settleEvents(
  catalog: Catalog,
  outcomes: ReadonlyMap<EventGroup, GroupOutcome>,
  { asOf, now }: { asOf: Date; now: Date },
): Promise<void> {
  await catalog.transaction().execute(async (transaction) => {
    for (const [group, outcome] of outcomes) {
      const { state, reason = null } = outcome;
      // What is done is kept to know its duplicates by: that takes no message.
      const rest = state === "done" ? { body: null } : { attempts: group.attempts + 1 };
      const time =
        state === "waiting"
          ? { notBefore: outcome.notBefore.toISOString(), finishedAt: null }
          : { finishedAt: now.toISOString() };
      await transaction
        .updateTable("event")
        .set({ state, reason, ...rest, ...time })
        .where(isIn(group, asOf))
        .execute();
    }
  });
}

function isIn({ repository, tag, throughId }: EventGroup, asOf: Date) {
  return (e: ExpressionBuilder<CatalogSchema, "event">) =>
    e.and([
      e("state", "=", "waiting"),
      e("repository", "=", repository),
      tag === undefined ? e("tag", "is", null) : e("tag", "=", tag),
      e("id", "<=", throughId),
      e("notBefore", "<=", asOf.toISOString()),
    ]);
}

/** How full the journal is. */
export interface EventCounts {
  readonly waiting: number;
  readonly parked: number;
  /** When the longest waiting one came, ISO 8601. */
  readonly oldestWaiting: string | undefined;
}

export async function countEvents(catalog: Catalog): Promise<EventCounts> {
  const rows = await catalog
    .selectFrom("event")
    .select((e) => ["state", e.fn.countAll().as("count"), e.fn.min("receivedAt").as("oldest")])
    .where("state", "in", ["waiting", "parked"])
    .groupBy("state")
    .execute();
  const of = (wanted: EventState) => rows.find(({ state }) => state === wanted);
  return {
    waiting: Number(of("waiting")?.count ?? 0),
    parked: Number(of("parked")?.count ?? 0),
    oldestWaiting: of("waiting")?.oldest ?? undefined,
  };
}

/** Forgets events that were finished before that time. What is parked stays until somebody has looked at it. */
export async function pruneEvents(catalog: Catalog, before: Date): Promise<void> {
  await catalog
    .deleteFrom("event")
    .where("state", "in", ["done", "dropped"])
    .where("finishedAt", "<", before.toISOString())
    .execute();
}

/** When all of the source was last looked through; undefined when it never was. */
export async function readAuditedAt(catalog: Catalog): Promise<Date | undefined> {
  const row = await catalog.selectFrom("meta").select("value").where("key", "=", "auditedAt").executeTakeFirst();
  return row === undefined ? undefined : new Date(Number(row.value));
}

export async function recordAudit(catalog: Catalog, at: Date): Promise<void> {
  const value = at.getTime();
  await catalog
    .insertInto("meta")
    .values({ key: "auditedAt", value })
    .onConflict((c) => c.column("key").doUpdateSet({ value }))
    .execute();
}
