import { type Kysely, sql } from "kysely";
import type { Migration } from "kysely/migration";
import { typesOf } from "./types.ts";

/** Repositories, tags, manifests, blobs, generations, variants: see ../schema.ts. */
export const catalog: Migration = {
  async up(db: Kysely<unknown>) {
    const { bytes, text, small } = typesOf(db);
    const table = (name: string) => db.schema.createTable(name).ifNotExists();
    const smallTable = (name: string) => table(name).modifyEnd(small);
    await table("repository")
      .addColumn("name", text, (c) => c.primaryKey())
      .execute();
    await smallTable("tag")
      .addColumn("repository", text, (c) => c.notNull())
      .addColumn("name", text, (c) => c.notNull())
      .addColumn("digest", text, (c) => c.notNull())
      .addColumn("missing", "integer", (c) => c.notNull().defaultTo(0))
      .addColumn("revision", "integer", (c) => c.notNull().defaultTo(0))
      .addPrimaryKeyConstraint("tag_pk", ["repository", "name"])
      .execute();
    await table("manifest")
      .addColumn("digest", text, (c) => c.primaryKey())
      .addColumn("media_type", text, (c) => c.notNull())
      .addColumn("bytes", bytes, (c) => c.notNull())
      .addColumn("artifact_type", text)
      .addColumn("subject", text)
      .addColumn("annotations", text)
      .addColumn("unneeded_since", text)
      .execute();
    await smallTable("repository_manifest")
      .addColumn("repository", text, (c) => c.notNull())
      .addColumn("digest", text, (c) => c.notNull())
      .addColumn("revision", "integer", (c) => c.notNull().defaultTo(0))
      .addPrimaryKeyConstraint("repository_manifest_pk", ["repository", "digest"])
      .execute();
    await smallTable("manifest_ref")
      .addColumn("parent", text, (c) => c.notNull())
      .addColumn("position", "integer", (c) => c.notNull())
      .addColumn("child", text, (c) => c.notNull())
      .addColumn("role", text, (c) => c.notNull())
      .addPrimaryKeyConstraint("manifest_ref_pk", ["parent", "position"])
      .execute();
    await db.schema.createIndex("manifest_ref_child").ifNotExists().on("manifest_ref").column("child").execute();
    await smallTable("manifest_platform")
      .addColumn("digest", text, (c) => c.notNull())
      .addColumn("platform", text, (c) => c.notNull())
      .addPrimaryKeyConstraint("manifest_platform_pk", ["digest", "platform"])
      .execute();
    // Most rows have no content: with the others, a row has a few hundred bytes at most on the average.
    await smallTable("blob")
      .addColumn("digest", text, (c) => c.primaryKey())
      .addColumn("size", "bigint", (c) => c.notNull())
      .addColumn("content", bytes)
      .execute();
    await smallTable("platform_blob")
      .addColumn("platform", text, (c) => c.notNull())
      .addColumn("digest", text, (c) => c.notNull())
      .addColumn("since", "integer", (c) => c.notNull())
      .addColumn("until", "integer")
      .addColumn("tombstoned_at", text)
      .addColumn("revision", "integer", (c) => c.notNull().defaultTo(0))
      .addPrimaryKeyConstraint("platform_blob_pk", ["platform", "digest"])
      .execute();
    const index = (name: string, of: string, columns: string[]) =>
      db.schema.createIndex(name).ifNotExists().on(of).columns(columns).execute();
    const partialIndex = (name: string, of: string, columns: string[], column: string) =>
      db.schema
        .createIndex(name)
        .ifNotExists()
        .on(of)
        .columns(columns)
        .where(sql.ref(column), "is not", null)
        .execute();
    // What a generation changed, and what leads to a manifest, is found without reading everything. The first two
    // hold all that is asked for: only then SQLite, which has no statistics, prefers them to the primary key.
    await index("platform_blob_since", "platform_blob", ["platform", "since", "digest", "until"]);
    await partialIndex("platform_blob_until", "platform_blob", ["platform", "until", "digest", "since"], "until");
    await partialIndex("platform_blob_tombstoned_at", "platform_blob", ["tombstoned_at"], "tombstoned_at");
    await index("platform_blob_digest", "platform_blob", ["digest"]);
    await partialIndex("blob_content", "blob", ["digest"], "content");
    // What the mirror list has not read yet.
    await index("tag_revision", "tag", ["revision", "repository", "name"]);
    await index("repository_manifest_revision", "repository_manifest", ["revision", "repository", "digest"]);
    await index("platform_blob_revision", "platform_blob", ["revision", "platform", "digest"]);
    await index("tag_digest", "tag", ["digest"]);
    await index("manifest_subject", "manifest", ["subject"]);
    await index("manifest_unneeded_since", "manifest", ["unneeded_since"]);
    await index("repository_manifest_digest", "repository_manifest", ["digest"]);
    await table("generation")
      .addColumn("platform", text, (c) => c.notNull())
      .addColumn("number", "integer", (c) => c.notNull())
      .addColumn("time", text, (c) => c.notNull())
      .addColumn("files", "integer", (c) => c.notNull())
      .addColumn("bytes", "bigint", (c) => c.notNull())
      .addColumn("list_sha256", text, (c) => c.notNull())
      .addPrimaryKeyConstraint("generation_pk", ["platform", "number"])
      .execute();
    await table("published")
      .addColumn("target", text, (c) => c.notNull())
      .addColumn("platform", text, (c) => c.notNull())
      .addColumn("number", "integer", (c) => c.notNull())
      .addColumn("full_at", text, (c) => c.notNull())
      .addPrimaryKeyConstraint("published_pk", ["target", "platform"])
      .execute();
    await table("variant")
      .addColumn("digest", text, (c) => c.primaryKey())
      .addColumn("original", text, (c) => c.notNull())
      .addColumn("urls", text, (c) => c.notNull())
      .addColumn("created_at", text, (c) => c.notNull())
      .execute();
    await table("meta")
      .addColumn("key", text, (c) => c.primaryKey())
      .addColumn("value", "bigint", (c) => c.notNull())
      .execute();
    await sql`insert into meta (key, value) values ('revision', 0) on conflict (key) do nothing`.execute(db);
  },
};
