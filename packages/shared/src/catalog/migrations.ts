import { type Kysely, sql } from "kysely";
import type { Migration } from "kysely/migration";

/** The word for bytes differs between the two databases; everything else is the same. */
const bytesOf = (db: Kysely<unknown>) => sql`${sql.raw(isPostgresDialect(db) ? "bytea" : "blob")}`;

function isPostgresDialect(db: Kysely<unknown>): boolean {
  return db.getExecutor().adapter.constructor.name === "PostgresAdapter";
}

/** Versioned changes of the schema, in the order of their names. A landed one is never edited: add the next. */
export const MIGRATIONS: Record<string, Migration> = {
  "0001-catalog": {
    async up(db: Kysely<unknown>) {
      const bytes = bytesOf(db);
      const table = (name: string) => db.schema.createTable(name).ifNotExists();
      await table("repository")
        .addColumn("name", "text", (c) => c.primaryKey())
        .execute();
      await table("tag")
        .addColumn("repository", "text", (c) => c.notNull())
        .addColumn("name", "text", (c) => c.notNull())
        .addColumn("digest", "text", (c) => c.notNull())
        .addColumn("missing", "integer", (c) => c.notNull().defaultTo(0))
        .addPrimaryKeyConstraint("tag_pk", ["repository", "name"])
        .execute();
      await table("manifest")
        .addColumn("digest", "text", (c) => c.primaryKey())
        .addColumn("media_type", "text", (c) => c.notNull())
        .addColumn("bytes", bytes, (c) => c.notNull())
        .addColumn("artifact_type", "text")
        .addColumn("subject", "text")
        .addColumn("annotations", "text")
        .addColumn("unneeded_since", "text")
        .execute();
      await table("repository_manifest")
        .addColumn("repository", "text", (c) => c.notNull())
        .addColumn("digest", "text", (c) => c.notNull())
        .addPrimaryKeyConstraint("repository_manifest_pk", ["repository", "digest"])
        .execute();
      await table("manifest_ref")
        .addColumn("parent", "text", (c) => c.notNull())
        .addColumn("position", "integer", (c) => c.notNull())
        .addColumn("child", "text", (c) => c.notNull())
        .addColumn("role", "text", (c) => c.notNull())
        .addPrimaryKeyConstraint("manifest_ref_pk", ["parent", "position"])
        .execute();
      await db.schema.createIndex("manifest_ref_child").ifNotExists().on("manifest_ref").column("child").execute();
      await table("manifest_platform")
        .addColumn("digest", "text", (c) => c.notNull())
        .addColumn("platform", "text", (c) => c.notNull())
        .addPrimaryKeyConstraint("manifest_platform_pk", ["digest", "platform"])
        .execute();
      await table("blob")
        .addColumn("digest", "text", (c) => c.primaryKey())
        .addColumn("size", "bigint", (c) => c.notNull())
        .addColumn("content", bytes)
        .execute();
      await table("platform_blob")
        .addColumn("platform", "text", (c) => c.notNull())
        .addColumn("digest", "text", (c) => c.notNull())
        .addColumn("since", "integer", (c) => c.notNull())
        .addColumn("until", "integer")
        .addColumn("tombstoned_at", "text")
        .addPrimaryKeyConstraint("platform_blob_pk", ["platform", "digest"])
        .execute();
      await db.schema
        .createIndex("platform_blob_since")
        .ifNotExists()
        .on("platform_blob")
        .columns(["platform", "since"])
        .execute();
      await table("generation")
        .addColumn("platform", "text", (c) => c.notNull())
        .addColumn("number", "integer", (c) => c.notNull())
        .addColumn("time", "text", (c) => c.notNull())
        .addColumn("files", "integer", (c) => c.notNull())
        .addColumn("bytes", "bigint", (c) => c.notNull())
        .addColumn("list_sha256", "text", (c) => c.notNull())
        .addPrimaryKeyConstraint("generation_pk", ["platform", "number"])
        .execute();
      await table("variant")
        .addColumn("digest", "text", (c) => c.primaryKey())
        .addColumn("original", "text", (c) => c.notNull())
        .addColumn("urls", "text", (c) => c.notNull())
        .addColumn("created_at", "text", (c) => c.notNull())
        .execute();
      await table("meta")
        .addColumn("key", "text", (c) => c.primaryKey())
        .addColumn("value", "bigint", (c) => c.notNull())
        .execute();
      await sql`insert into meta (key, value) values ('revision', 0) on conflict (key) do nothing`.execute(db);
    },
  },
};
