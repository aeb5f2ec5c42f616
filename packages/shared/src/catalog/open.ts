import { CamelCasePlugin, Kysely, sql } from "kysely";
import { Migrator } from "kysely/migration";
import { isPostgres } from "../config/load.ts";
import { messageOf, NearlayerError } from "../errors.ts";
import { MIGRATIONS } from "./migrations.ts";
import type { CatalogSchema } from "./schema.ts";
import { sqliteDialect } from "./sqlite.ts";

/** The catalog: what is published, where, since when. Dispose of it to close it. */
export type Catalog = Kysely<CatalogSchema>;

/**
 * Opens the catalog and brings its schema up to date. `location` is a file (SQLite; made when missing). Throws
 * CATALOG_FAILED when it cannot be opened or was written by a newer version.
 */
export async function openCatalog(location: string): Promise<Catalog> {
  if (isPostgres(location)) {
    throw new NearlayerError("CATALOG_FAILED", "a PostgreSQL catalog is not supported yet", {
      hint: "give catalog a file path",
    });
  }
  const catalog = new Kysely<CatalogSchema>({ dialect: sqliteDialect(location), plugins: [new CamelCasePlugin()] });
  try {
    await migrate(catalog);
  } catch (cause) {
    await catalog.destroy();
    throw new NearlayerError("CATALOG_FAILED", `catalog ${location} cannot be opened: ${messageOf(cause)}`, { cause });
  }
  return catalog;
}

async function migrate(catalog: Catalog): Promise<void> {
  const migrator = new Migrator({ db: catalog, provider: { getMigrations: async () => MIGRATIONS } });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
}

/** The number of changes so far that a mirror list must notice. */
export async function readRevision(catalog: Catalog): Promise<number> {
  const row = await catalog.selectFrom("meta").select("value").where("key", "=", "revision").executeTakeFirstOrThrow();
  return row.value;
}

/** Says, as part of a transaction, that the mirror list has something new to read. */
export async function bumpRevision(transaction: Catalog): Promise<void> {
  await transaction.updateTable("meta").set({ value: sql<number>`value + 1` }).where("key", "=", "revision").execute();
}
