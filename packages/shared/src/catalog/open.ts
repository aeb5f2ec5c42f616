import { CamelCasePlugin, type Dialect, Kysely, PostgresAdapter, sql } from "kysely";
import { isPostgres } from "../config/load.ts";
import { messageOf, NearlayerError } from "../errors.ts";
import { describeLocation } from "./location.ts";
import { migrate } from "./migrate.ts";
import type { CatalogSchema } from "./schema.ts";
import { sqliteDialect } from "./sqlite.ts";

/** The catalog: what is published, where, since when. Dispose of it to close it. */
export type Catalog = Kysely<CatalogSchema>;

/**
 * What changes are counted for: `revision` for what is published, `mirrorRevision` for the mirrors. Each has watchers of
 * its own.
 */
export type RevisionKey = "revision" | "mirrorRevision";

/** Where PostgreSQL tells of a new revision; the payload is its number. */
export const REVISION_CHANNELS: Readonly<Record<RevisionKey, string>> = {
  revision: "nearlayer_revision",
  mirrorRevision: "nearlayer_mirror_revision",
};

/**
 * Opens the catalog and brings its schema up to date. `location` is a file (SQLite; made when missing) or a PostgreSQL
 * URL. Throws CATALOG_FAILED when it cannot be opened, is no catalog, or was written by a newer version. Once it is
 * open, a query throws CATALOG_FAILED while the database is out of reach, and works again when it is back.
 */
export async function openCatalog(location: string): Promise<Catalog> {
  const shown = describeLocation(location);
  // A driver that is not used need not be loaded.
  const postgres = isPostgres(location) ? (await import("./postgres.ts")).postgresDialect : undefined;
  const catalog = connect(postgres === undefined ? sqliteDialect(location) : postgres(location));
  const migrating = postgres === undefined ? catalog : connect(postgres(location, { unlimited: true }));
  try {
    await migrate(migrating);
    return catalog;
  } catch (cause) {
    await catalog.destroy();
    if (cause instanceof NearlayerError && cause.message.includes(shown)) throw cause;
    throw new NearlayerError("CATALOG_FAILED", `catalog ${shown} cannot be opened: ${messageOf(cause)}`, {
      cause,
      ...(cause instanceof NearlayerError && cause.hint !== undefined ? { hint: cause.hint } : {}),
    });
  } finally {
    if (migrating !== catalog) await migrating.destroy();
  }
}

function connect(dialect: Dialect): Catalog {
  return new Kysely<CatalogSchema>({ dialect, plugins: [new CamelCasePlugin()] });
}

/** Is it PostgreSQL that answers? For the few things that the two databases do best in their own ways. */
export function isPostgresCatalog(catalog: Catalog): boolean {
  return catalog.getExecutor().adapter instanceof PostgresAdapter;
}

/** The number of changes so far that a mirror list must notice. */
export async function readRevision(catalog: Catalog, key: RevisionKey = "revision"): Promise<number> {
  const row = await catalog.selectFrom("meta").select("value").where("key", "=", key).executeTakeFirstOrThrow();
  return row.value;
}

/**
 * What to stamp on the rows that a transaction changes: the revision that it will have made once it is committed, or,
 * when it has been made already, the one after it. A row that is read once too often does no harm.
 */
export async function pendingRevision(transaction: Catalog, key: RevisionKey = "revision"): Promise<number> {
  return (await readRevision(transaction, key)) + 1;
}

/** Says, as part of a transaction, that rows were taken out, which no stamp can tell. The mirror list reads all again. */
export async function noteRemoval(transaction: Catalog, of: "removedImages" | "removedBlobs"): Promise<void> {
  const value = await pendingRevision(transaction);
  await transaction
    .insertInto("meta")
    .values({ key: of, value })
    .onConflict((c) => c.column("key").doUpdateSet({ value }))
    .execute();
}

/** Says, as part of a transaction, that the mirror list has something new to read. */
export async function bumpRevision(transaction: Catalog, key: RevisionKey = "revision"): Promise<void> {
  const next = { value: sql<number>`value + 1` };
  if (!isPostgresCatalog(transaction)) {
    await transaction.updateTable("meta").set(next).where("key", "=", key).execute();
    return;
  }
  // Sent when the transaction is committed, and never when it is not.
  await transaction
    .with("bumped", (e) => e.updateTable("meta").set(next).where("key", "=", key).returning("value"))
    .selectFrom("bumped")
    .select(sql`pg_notify(${REVISION_CHANNELS[key]}, value::text)`.as("sent"))
    .execute();
}
