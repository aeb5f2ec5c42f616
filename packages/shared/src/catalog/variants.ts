import { PostgresAdapter, sql } from "kysely";
import type { Digest } from "../digest.ts";
import type { Catalog } from "./open.ts";

/** A manifest as it is served with `urls` on its layers: what it is made from, and how. */
export interface VariantRecord {
  readonly digest: Digest;
  readonly original: Digest;
  /** The recipe, as JSON: with the original's bytes it makes the same bytes for ever. */
  readonly urls: string;
}

/** Writes a variant down; once this has resolved, every instance can serve it. */
export async function putVariant(catalog: Catalog, variant: VariantRecord): Promise<void> {
  await catalog
    .insertInto("variant")
    .values({ ...variant, createdAt: new Date().toISOString() })
    .onConflict((c) => c.doNothing())
    .execute();
}

export async function readVariant(catalog: Catalog, digest: Digest): Promise<VariantRecord | undefined> {
  return catalog
    .selectFrom("variant")
    .select(["digest", "original", "urls"])
    .where("digest", "=", digest)
    .executeTakeFirst();
}

/**
 * Makes a connection to SQLite fail at once where it would wait for another writer: SQLite waits on the only thread
 * that there is, and a server has requests to answer meanwhile. `isBusy` tells such a failure; try again later.
 */
export async function failWhenBusy(catalog: Catalog): Promise<void> {
  if (catalog.getExecutor().adapter instanceof PostgresAdapter) return;
  await sql`pragma busy_timeout = 0`.execute(catalog);
}

/** Did SQLite refuse because another process is writing (SQLITE_BUSY, SQLITE_LOCKED)? */
export function isBusy(error: unknown): boolean {
  for (let current = error; current instanceof Error; current = current.cause) {
    if ("errcode" in current && typeof current.errcode === "number") return [5, 6].includes(current.errcode & 0xff);
  }
  return false;
}
