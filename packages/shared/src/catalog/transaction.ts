import type { Transaction } from "kysely";
import type { Catalog } from "./open.ts";
import type { CatalogSchema } from "./schema.ts";

/**
 * Transactions mean the same on both databases. `catalog.transaction()` is a writer's: writers take turns, one at a time
 * in all processes, so that what is read in it still holds when it is written. It fails with CATALOG_FAILED when its
 * turn does not come within half a minute.
 *
 * A reader's transaction is this one: all of it sees one moment of the catalog, it waits for no writer, and none waits
 * for it.
 */
export async function readMoment<T>(
  catalog: Catalog,
  work: (moment: Transaction<CatalogSchema>) => Promise<T>,
): Promise<T> {
  return catalog.transaction().setIsolationLevel("repeatable read").setAccessMode("read only").execute(work);
}
