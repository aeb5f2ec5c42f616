import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";
import { typesOf } from "./types.ts";

/** What a tag is to be, as an event has it. */
export const eventDigest: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema.alterTable("event").addColumn("digest", typesOf(db).text).execute();
  },
};
