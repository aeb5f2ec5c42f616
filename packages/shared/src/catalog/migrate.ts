import { sql } from "kysely";
import { Migrator } from "kysely/migration";
import { NearlayerError } from "../errors.ts";
import { MIGRATIONS } from "./migrations.ts";
import type { Catalog } from "./open.ts";

/**
 * Brings the schema up to date: all that is missing in one transaction, on both databases, so that a process killed on
 * the way leaves nothing half done. Of two that start at once the second waits for the first. Throws CATALOG_FAILED when
 * a newer version wrote the catalog.
 */
export async function migrate(catalog: Catalog, migrations = MIGRATIONS): Promise<void> {
  const migrator = new Migrator({ db: catalog, provider: { getMigrations: async () => migrations } });
  const { error } = await migrator.migrateToLatest();
  if (error === undefined) return;
  const unknown = (await executedMigrations(catalog).catch(() => [])).filter(
    (name) => !Object.hasOwn(migrations, name),
  );
  const newest = unknown.sort().at(-1);
  if (newest === undefined) throw error;
  throw new NearlayerError("CATALOG_FAILED", `was written by a newer version of Nearlayer (${newest})`, {
    cause: error,
    hint: "run the version that wrote it, or a later one; this one has changed nothing",
  });
}

async function executedMigrations(catalog: Catalog): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`select name from kysely_migration`.execute(catalog);
  return rows.map(({ name }) => name);
}
