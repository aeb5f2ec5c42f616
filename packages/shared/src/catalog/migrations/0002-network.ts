import { type Kysely, sql } from "kysely";
import type { Migration } from "kysely/migration";
import { typesOf } from "./types.ts";

/** The mirrors, what the crawler sees of them, and the history of that: see ../schema-network.ts. */
export const network: Migration = {
  async up(db: Kysely<unknown>) {
    const { text, small, id } = typesOf(db);
    const table = (name: string) => db.schema.createTable(name);
    const smallTable = (name: string) => table(name).modifyEnd(small);
    const index = (name: string, of: string, columns: string[]) =>
      db.schema.createIndex(name).on(of).columns(columns).execute();
    await table("mirror")
      .addColumn("name", text, (c) => c.primaryKey())
      .addColumn("declared_by", text, (c) => c.notNull())
      .addColumn("declaration", text, (c) => c.notNull())
      .addColumn("proof", text)
      .addColumn("state", text, (c) => c.notNull())
      .addColumn("reason", text, (c) => c.notNull())
      .addColumn("state_since", text, (c) => c.notNull())
      .addColumn("created_at", text, (c) => c.notNull())
      .addColumn("approved_at", text)
      .addColumn("probe_wanted_at", text)
      .addColumn("revision", "bigint", (c) => c.notNull().defaultTo(0))
      .execute();
    await table("mirror_change")
      .addColumn("id", id.type, id.column)
      .addColumn("mirror", text, (c) => c.notNull())
      .addColumn("at", text, (c) => c.notNull())
      .addColumn("from_state", text)
      .addColumn("to_state", text, (c) => c.notNull())
      .addColumn("reason", text, (c) => c.notNull())
      .addColumn("actor", text, (c) => c.notNull())
      .execute();
    await index("mirror_change_mirror", "mirror_change", ["mirror", "id"]);
    await smallTable("mirror_probe")
      .addColumn("mirror", text, (c) => c.notNull())
      .addColumn("platform", text, (c) => c.notNull())
      .addColumn("at", text, (c) => c.notNull())
      .addColumn("seen_at", text)
      .addColumn("generation", "integer")
      .addColumn("shown", "integer")
      .addColumn("etag", text)
      .addColumn("last_modified", text)
      .addColumn("failure_kind", text)
      .addColumn("failure", text)
      .addPrimaryKeyConstraint("mirror_probe_pk", ["mirror", "platform"])
      .execute();
    await index("mirror_probe_platform", "mirror_probe", ["platform", "generation"]);
    await table("mirror_audit")
      .addColumn("id", id.type, id.column)
      .addColumn("mirror", text, (c) => c.notNull())
      .addColumn("at", text, (c) => c.notNull())
      .addColumn("platform", text, (c) => c.notNull())
      .addColumn("kind", text, (c) => c.notNull())
      .addColumn("digest", text)
      .addColumn("ok", "integer", (c) => c.notNull())
      .addColumn("detail", text, (c) => c.notNull())
      .execute();
    await index("mirror_audit_mirror", "mirror_audit", ["mirror", "id"]);
    await smallTable("mirror_hour")
      .addColumn("mirror", text, (c) => c.notNull())
      .addColumn("hour", text, (c) => c.notNull())
      .addColumn("probes", "integer", (c) => c.notNull())
      .addColumn("failed", "integer", (c) => c.notNull())
      .addColumn("lag_seconds", "integer", (c) => c.notNull())
      .addPrimaryKeyConstraint("mirror_hour_pk", ["mirror", "hour"])
      .execute();
    await index("mirror_hour_hour", "mirror_hour", ["hour"]);
    await smallTable("redirect_hour")
      .addColumn("mirror", text, (c) => c.notNull())
      .addColumn("hour", text, (c) => c.notNull())
      .addColumn("redirects", "bigint", (c) => c.notNull())
      .addColumn("bytes", "bigint", (c) => c.notNull())
      .addPrimaryKeyConstraint("redirect_hour_pk", ["mirror", "hour"])
      .execute();
    await index("redirect_hour_hour", "redirect_hour", ["hour"]);
    await smallTable("propagation")
      .addColumn("platform", text, (c) => c.notNull())
      .addColumn("generation", "integer", (c) => c.notNull())
      .addColumn("made_at", text, (c) => c.notNull())
      .addColumn("mirrors", "integer", (c) => c.notNull())
      .addColumn("half_at", text)
      .addColumn("ninety_at", text)
      .addColumn("all_at", text)
      .addPrimaryKeyConstraint("propagation_pk", ["platform", "generation"])
      .execute();
    await index("propagation_made_at", "propagation", ["made_at"]);
    await smallTable("crawl_lease")
      .addColumn("mirror", text, (c) => c.notNull())
      .addColumn("holder", text, (c) => c.notNull())
      .addColumn("until", text, (c) => c.notNull())
      .addPrimaryKeyConstraint("crawl_lease_pk", ["mirror"])
      .execute();
    await sql`insert into meta (key, value) values ('mirrorRevision', 0) on conflict (key) do nothing`.execute(db);
  },
};
