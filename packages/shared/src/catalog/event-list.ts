import type { Selectable } from "kysely";
import type { Repository, Tag } from "../reference.ts";
import { chunksOf } from "./chunks.ts";
import type { Catalog } from "./open.ts";
import type { CatalogSchema } from "./schema.ts";
import type { EventState } from "./schema-events.ts";

/** An event for people to look at, without its message. */
export type EventRow = Omit<Selectable<CatalogSchema["event"]>, "body">;

const COLUMNS = [
  ...(["id", "source", "key", "part", "topic", "receivedAt", "state", "repository", "tag", "digest"] as const),
  ...(["optional", "attempts", "notBefore", "finishedAt", "reason"] as const),
];

/** The newest events in these states, at most `limit`, the newest first. */
export async function listEvents(
  catalog: Catalog,
  { states, limit }: { states: readonly EventState[]; limit: number },
): Promise<EventRow[]> {
  return catalog
    .selectFrom("event")
    .select(COLUMNS)
    .where("state", "in", states)
    .orderBy("id", "desc")
    .limit(limit)
    .execute();
}

export async function readEvents(catalog: Catalog, ids: readonly number[]): Promise<EventRow[]> {
  const rows: EventRow[] = [];
  for (const chunk of chunksOf(ids)) {
    rows.push(...(await catalog.selectFrom("event").select(COLUMNS).where("id", "in", chunk).orderBy("id").execute()));
  }
  return rows;
}

/** An event with its message; undefined when there is none of that id. */
export async function readEvent(catalog: Catalog, id: number): Promise<Selectable<CatalogSchema["event"]> | undefined> {
  return catalog.selectFrom("event").selectAll().where("id", "=", id).executeTakeFirst();
}

/** Has an event wait again, as if it had just come, for what it then asks for. */
export async function retryEvent(
  catalog: Catalog,
  id: number,
  { repository, tag, now }: { repository: Repository; tag?: Tag; now: Date },
): Promise<void> {
  await catalog
    .updateTable("event")
    .set({
      ...{ repository, tag: tag ?? null, state: "waiting", attempts: 0, reason: null, finishedAt: null },
      notBefore: now.toISOString(),
    })
    .where("id", "=", id)
    .execute();
}

/** Takes events out of the queue, and keeps their keys, so that they do not come again. */
export async function dropEvents(catalog: Catalog, ids: readonly number[], now: Date): Promise<void> {
  for (const chunk of chunksOf(ids)) {
    await catalog
      .updateTable("event")
      .set({ state: "dropped", finishedAt: now.toISOString(), body: null })
      .where("id", "in", chunk)
      .where("state", "in", ["waiting", "parked"])
      .execute();
  }
}
