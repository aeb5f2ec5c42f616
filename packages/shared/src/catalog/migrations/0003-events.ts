import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";
import { typesOf } from "./types.ts";

/** The journal of events, and what is to be told to others: see ../schema-events.ts. */
export const events: Migration = {
  async up(db: Kysely<unknown>) {
    const { text, bytes, id } = typesOf(db);
    const index = (name: string, of: string, columns: string[]) => db.schema.createIndex(name).on(of).columns(columns);
    await db.schema
      .createTable("event")
      .addColumn("id", id.type, id.column)
      .addColumn("source", text, (c) => c.notNull())
      .addColumn("key", text, (c) => c.notNull())
      .addColumn("part", "integer", (c) => c.notNull())
      .addColumn("topic", text, (c) => c.notNull())
      .addColumn("received_at", text, (c) => c.notNull())
      .addColumn("state", text, (c) => c.notNull())
      .addColumn("repository", text)
      .addColumn("tag", text)
      .addColumn("optional", "integer", (c) => c.notNull())
      .addColumn("attempts", "integer", (c) => c.notNull())
      .addColumn("not_before", text, (c) => c.notNull())
      .addColumn("finished_at", text)
      .addColumn("reason", text)
      .addColumn("body", bytes)
      .addUniqueConstraint("event_key", ["source", "key", "part"])
      .execute();
    // What waits is few, whatever is kept: the queue is found by it, and never by reading the history.
    await index("event_waiting", "event", ["state", "repository", "tag", "not_before"]).execute();
    await index("event_finished_at", "event", ["state", "finished_at"]).execute();
    await db.schema
      .createTable("notice")
      .addColumn("id", id.type, id.column)
      .addColumn("key", text, (c) => c.notNull())
      .addColumn("destination", text, (c) => c.notNull())
      .addColumn("topic", text, (c) => c.notNull())
      .addColumn("body", text, (c) => c.notNull())
      .addColumn("created_at", text, (c) => c.notNull())
      .addColumn("attempts", "integer", (c) => c.notNull())
      .addColumn("not_before", text, (c) => c.notNull())
      .addColumn("finished_at", text)
      .addColumn("reason", text)
      .addUniqueConstraint("notice_key", ["key", "destination"])
      .execute();
    await index("notice_finished_at", "notice", ["finished_at"]).execute();
  },
};
