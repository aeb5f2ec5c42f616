import { PostgresAdapter, sql } from "kysely";
import type { Catalog } from "./open.ts";

/**
 * The time by which all instances go, in epoch milliseconds: the server's on PostgreSQL, since machines' clocks differ;
 * this machine's on SQLite, which has one machine.
 */
export async function databaseNow(catalog: Catalog): Promise<number> {
  if (!(catalog.getExecutor().adapter instanceof PostgresAdapter)) return Date.now();
  const { rows } = await sql<{ now: number }>`
    select (extract(epoch from clock_timestamp()) * 1000)::float8 as now`.execute(catalog);
  return Math.floor(rows[0]?.now ?? Date.now());
}

/** Epoch milliseconds as the catalog has times: texts that sort. */
export const isoOf = (ms: number): string => new Date(ms).toISOString();
