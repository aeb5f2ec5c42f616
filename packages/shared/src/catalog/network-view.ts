import type { Digest } from "../digest.ts";
import type { Generation } from "../generation.ts";
import type { Platform } from "../platform.ts";
import { latestGenerations } from "./generations.ts";
import type { HourOfProbes, Propagated } from "./history.ts";
import type { Catalog } from "./open.ts";

/**
 * What people are shown of the mirror network: reads of the tables that the crawler and those who opt in fill. Each is
 * one statement along an index, of a millisecond or two: SQLite answers on the caller's own thread. Times are ISO 8601 in
 * UTC.
 */

/** A look at a mirror: at one blob, at a listing, at its proof. */
export interface Audit {
  readonly at: string;
  readonly platform: Platform;
  readonly kind: "head" | "range" | "hash" | "listing" | "proof";
  readonly digest: Digest | null;
  readonly ok: boolean;
  readonly detail: string;
}

/** The last audits of a mirror, the newest first. */
export async function readAudits(catalog: Catalog, mirror: string, limit: number): Promise<Audit[]> {
  const rows = await catalog
    .selectFrom("mirrorAudit")
    .select(["at", "platform", "kind", "digest", "ok", "detail"])
    .where("mirror", "=", mirror)
    .orderBy("id", "desc")
    .limit(limit)
    .execute();
  return rows.map(({ ok, ...audit }) => ({ ...audit, ok: Number(ok) !== 0 }));
}

/** What the newest probe of a platform has shown, as far as memory does not say it. */
export interface ProbeRecord {
  readonly platform: Platform;
  readonly at: string;
  readonly seenAt: string | null;
  readonly generation: number | null;
  readonly shown: number | null;
  readonly failure: string | null;
}

export async function readProbes(catalog: Catalog, mirror: string): Promise<ProbeRecord[]> {
  return catalog
    .selectFrom("mirrorProbe")
    .select(["platform", "at", "seenAt", "generation", "shown", "failure"])
    .where("mirror", "=", mirror)
    .orderBy("platform")
    .execute();
}

/** The hours of a mirror from `since` on, the oldest first; an hour without a probe has no row. */
export async function readHours(catalog: Catalog, mirror: string, since: string): Promise<HourOfProbes[]> {
  return catalog
    .selectFrom("mirrorHour")
    .selectAll()
    .where("mirror", "=", mirror)
    .where("hour", ">=", since)
    .orderBy("hour")
    .execute();
}

/** Redirects to a mirror in some time, and the bytes of the layers that they were for. */
export interface Redirects {
  readonly mirror: string;
  readonly redirects: number;
  readonly bytes: number;
}

/** The redirects of every mirror that had some in the hours from `from` on and before `to`. Cost: a row per mirror and hour. */
export async function readRedirects(catalog: Catalog, from: string, to: string): Promise<Redirects[]> {
  const rows = await catalog
    .selectFrom("redirectHour")
    .select((e) => ["mirror", e.fn.sum("redirects").as("redirects"), e.fn.sum("bytes").as("bytes")])
    .where("hour", ">=", from)
    .where("hour", "<", to)
    .groupBy("mirror")
    .execute();
  // PostgreSQL's sums are texts.
  return rows.map(({ mirror, redirects, bytes }) => ({ mirror, redirects: Number(redirects), bytes: Number(bytes) }));
}

/** The redirects to one mirror from an hour on. */
export async function readRedirectsOf(catalog: Catalog, mirror: string, since: string): Promise<Redirects> {
  const row = await catalog
    .selectFrom("redirectHour")
    .select((e) => [e.fn.sum("redirects").as("redirects"), e.fn.sum("bytes").as("bytes")])
    .where("mirror", "=", mirror)
    .where("hour", ">=", since)
    .executeTakeFirst();
  return { mirror, redirects: Number(row?.redirects ?? 0), bytes: Number(row?.bytes ?? 0) };
}

/** The last generations that were made since then, of all platforms, the newest first. */
export async function readTravels(catalog: Catalog, since: string, limit: number): Promise<Propagated[]> {
  return catalog
    .selectFrom("propagation")
    .select(["platform", "generation", "madeAt", "mirrors", "halfAt", "ninetyAt", "allAt"])
    .where("madeAt", ">=", since)
    .orderBy("madeAt", "desc")
    .orderBy("platform")
    .limit(limit)
    .execute();
}

/** The newest generation of a platform, and when those before it were made. */
export interface PlatformGenerations {
  readonly newest: Generation;
  /** By number, the newest first, the newest included. */
  readonly times: readonly { readonly number: number; readonly time: string }[];
}

/** The newest generations of every platform, `depth` of each. Cost: that many rows of each platform. */
export async function readGenerationTimes(catalog: Catalog, depth: number): Promise<PlatformGenerations[]> {
  const found: PlatformGenerations[] = [];
  for (const newest of await latestGenerations(catalog)) {
    const times = await catalog
      .selectFrom("generation")
      .select(["number", "time"])
      .where("platform", "=", newest.platform)
      .where("number", ">", newest.number - depth)
      .orderBy("number", "desc")
      .execute();
    found.push({ newest, times });
  }
  return found;
}
