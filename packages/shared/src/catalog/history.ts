import { sql } from "kysely";
import { chunksOf } from "./chunks.ts";
import { isoOf } from "./clock.ts";
import type { Catalog } from "./open.ts";
import type { NetworkSchema } from "./schema-network.ts";

/** Figures of a mirror in an hour, which add up. `hour` is ISO 8601. */
export interface HourOfProbes {
  readonly mirror: string;
  readonly hour: string;
  readonly probes: number;
  readonly failed: number;
  readonly lagSeconds: number;
}

export interface HourOfRedirects {
  readonly mirror: string;
  readonly hour: string;
  readonly redirects: number;
  readonly bytes: number;
}

/** The hour that a time (epoch ms) is in. */
export function hourOf(ms: number): string {
  const start = ms - (ms % 3_600_000);
  if (start !== newest.start) newest = { start, text: isoOf(start) };
  return newest.text;
}

/** The hour that was asked for last: each redirect is counted in one. */
let newest = { start: Number.NaN, text: "" };

/** As part of a transaction: adds to the figures that other instances have written. */
export async function addProbeHours(transaction: Catalog, hours: readonly HourOfProbes[]): Promise<void> {
  for (const chunk of chunksOf(hours)) {
    await transaction
      .insertInto("mirrorHour")
      .values(chunk)
      .onConflict((c) =>
        c.columns(["mirror", "hour"]).doUpdateSet({
          probes: sql`mirror_hour.probes + excluded.probes`,
          failed: sql`mirror_hour.failed + excluded.failed`,
          lagSeconds: sql`case when excluded.lag_seconds > mirror_hour.lag_seconds
            then excluded.lag_seconds else mirror_hour.lag_seconds end`,
        }),
      )
      .execute();
  }
}

/** As part of a transaction: adds to the redirects that other instances have counted. */
export async function addRedirectHours(transaction: Catalog, hours: readonly HourOfRedirects[]): Promise<void> {
  for (const chunk of chunksOf(hours)) {
    await transaction
      .insertInto("redirectHour")
      .values(chunk)
      .onConflict((c) =>
        c.columns(["mirror", "hour"]).doUpdateSet({
          redirects: sql`redirect_hour.redirects + excluded.redirects`,
          bytes: sql`redirect_hour.bytes + excluded.bytes`,
        }),
      )
      .execute();
  }
}

/** How far a generation has come. A time that is there already stays. */
export type Propagated = Readonly<NetworkSchema["propagation"]>;

/** As part of a transaction: notes how generations travel. What was complete is left alone. */
export async function notePropagation(transaction: Catalog, rows: readonly Propagated[]): Promise<void> {
  for (const chunk of chunksOf(rows)) {
    await transaction
      .insertInto("propagation")
      .values(chunk)
      .onConflict((c) =>
        c
          .columns(["platform", "generation"])
          .doUpdateSet({
            mirrors: sql`excluded.mirrors`,
            halfAt: sql`coalesce(propagation.half_at, excluded.half_at)`,
            ninetyAt: sql`coalesce(propagation.ninety_at, excluded.ninety_at)`,
            allAt: sql`coalesce(propagation.all_at, excluded.all_at)`,
          })
          .where("propagation.allAt", "is", null),
      )
      .execute();
  }
}

/** The generations of a platform that not all mirrors had when it was last written down, and which times they have. */
export async function readOpenPropagation(catalog: Catalog): Promise<Propagated[]> {
  return catalog.selectFrom("propagation").selectAll().where("allAt", "is", null).execute();
}

/** Takes out what is older than a time (ISO 8601), and what was seen of mirrors that are no more. */
export async function pruneHistory(catalog: Catalog, before: string): Promise<void> {
  await catalog.deleteFrom("mirrorHour").where("hour", "<", before).execute();
  await catalog.deleteFrom("redirectHour").where("hour", "<", before).execute();
  await catalog.deleteFrom("propagation").where("madeAt", "<", before).execute();
  await catalog.deleteFrom("mirrorChange").where("at", "<", before).execute();
  const gone = <Table extends "mirrorProbe" | "crawlLease" | "mirrorAudit">(table: Table) =>
    sql`delete from ${sql.table(table)} where mirror not in (select name from mirror)`.execute(catalog);
  await gone("mirrorProbe");
  await gone("crawlLease");
  await gone("mirrorAudit");
}
