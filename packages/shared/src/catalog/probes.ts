import { type Selectable, sql } from "kysely";
import { chunksOf } from "./chunks.ts";
import { isoOf } from "./clock.ts";
import type { Catalog } from "./open.ts";
import type { CatalogSchema } from "./schema.ts";

/** The newest probe of a platform of a mirror: see schema-network.ts. */
export type ProbeRow = Selectable<CatalogSchema["mirrorProbe"]>;

/** The probes that were written since a time (ISO 8601), that time included; all of them without one. */
export async function readProbes(catalog: Catalog, since = ""): Promise<ProbeRow[]> {
  return catalog.selectFrom("mirrorProbe").selectAll().where("at", ">=", since).execute();
}

/** What a while of probing has shown. */
export interface ProbeNews {
  /** Rows that say something new; `at` and, where the probe was good, `seenAt` are set to the time of the writing. */
  readonly changed: readonly ProbeRow[];
  /** Mirrors of which every platform was asked and answered well, as before. */
  readonly unchanged: readonly string[];
}

/**
 * As part of a transaction: writes probes down. `now` is the database's time, in epoch ms, read after the transaction has
 * begun: writers take turns, so that whoever has read what was written up to a time finds the rest after it.
 */
export async function writeProbes(transaction: Catalog, { changed, unchanged }: ProbeNews, now: number): Promise<void> {
  const at = isoOf(now);
  for (const chunk of chunksOf(unchanged)) {
    await transaction
      .updateTable("mirrorProbe")
      .set({ at, seenAt: at })
      .where("mirror", "in", chunk)
      .where("failureKind", "is", null)
      .execute();
  }
  for (const chunk of chunksOf(changed)) {
    await transaction
      .insertInto("mirrorProbe")
      .values(chunk.map((row) => ({ ...row, at })))
      .onConflict((c) => c.columns(["mirror", "platform"]).doUpdateSet(allOfExcluded()))
      .execute();
  }
}

const COLUMNS = ["at", "seenAt", "generation", "shown", "etag", "lastModified", "failureKind", "failure"] as const;

function allOfExcluded() {
  return Object.fromEntries(COLUMNS.map((column) => [column, sql.ref(`excluded.${column}`)]));
}
