import type { Insertable, Selectable } from "kysely";
import type { Digest } from "../digest.ts";
import { chunksOf } from "./chunks.ts";
import { isoOf } from "./clock.ts";
import type { Catalog } from "./open.ts";
import type { CatalogSchema } from "./schema.ts";
import type { MirrorState } from "./schema-network.ts";

/** A look at a mirror, as the catalog keeps it. */
export type AuditRow = Selectable<CatalogSchema["mirrorAudit"]>;
export type NewAudit = Omit<Insertable<CatalogSchema["mirrorAudit"]>, "id" | "at">;

/** As part of a transaction: writes audits down, `now` in epoch ms. */
export async function writeAudits(transaction: Catalog, audits: readonly NewAudit[], now: number): Promise<void> {
  const at = isoOf(now);
  for (const chunk of chunksOf(audits)) {
    await transaction
      .insertInto("mirrorAudit")
      .values(chunk.map((audit) => ({ ...audit, at })))
      .execute();
  }
}

/** The audits of a mirror that are kept, the newest first. */
export async function readAudits(catalog: Catalog, mirror: string, limit: number): Promise<AuditRow[]> {
  return catalog
    .selectFrom("mirrorAudit")
    .selectAll()
    .where("mirror", "=", mirror)
    .orderBy("id", "desc")
    .limit(limit)
    .execute();
}

/** How many bytes were read from a mirror for their hash since a time (ISO 8601). */
export async function readHashedBytes(catalog: Catalog, mirror: string, since: string): Promise<number> {
  const row = await catalog
    .selectFrom("mirrorAudit")
    .innerJoin("blob", "blob.digest", "mirrorAudit.digest")
    .select((e) => e.fn.sum<number | string | null>("blob.size").as("bytes"))
    .where("mirror", "=", mirror)
    .where("kind", "=", "hash")
    .where("at", ">=", since)
    .executeTakeFirst();
  return Number(row?.bytes ?? 0);
}

/** Blobs that a mirror was last seen without, or with other bytes: those are what is looked at again. */
export function failedBlobs(audits: readonly AuditRow[]): Pick<AuditRow, "platform" | "digest">[] {
  const newest = new Map<Digest, AuditRow>();
  for (const audit of audits) {
    if (audit.digest !== null && !newest.has(audit.digest)) newest.set(audit.digest, audit);
  }
  return [...newest.values()].filter(({ ok }) => ok === 0);
}

/**
 * Keeps the newest audits of each mirror, and those that count for the budget of hashes. Cost: the index of what is
 * there. `hashesSince` is ISO 8601.
 */
export async function pruneAudits(catalog: Catalog, keep: number, hashesSince: string): Promise<void> {
  const crowded = await catalog
    .selectFrom("mirrorAudit")
    .select("mirror")
    .groupBy("mirror")
    .having((e) => e.fn.countAll(), ">", keep)
    .execute();
  for (const { mirror } of crowded) {
    const oldest = await catalog
      .selectFrom("mirrorAudit")
      .select("id")
      .where("mirror", "=", mirror)
      .orderBy("id", "desc")
      .offset(keep)
      .limit(1)
      .executeTakeFirst();
    if (oldest === undefined) continue;
    await catalog
      .deleteFrom("mirrorAudit")
      .where("mirror", "=", mirror)
      .where("id", "<=", oldest.id)
      .where((e) => e.or([e("kind", "!=", "hash"), e("at", "<", hashesSince)]))
      .execute();
  }
}

/** How often a mirror has come into a state, as far as its history is kept. */
export async function countChangesTo(catalog: Catalog, mirror: string, state: MirrorState): Promise<number> {
  const { count } = await catalog
    .selectFrom("mirrorChange")
    .select((e) => e.fn.countAll<number>().as("count"))
    .where("mirror", "=", mirror)
    .where("toState", "=", state)
    .executeTakeFirstOrThrow();
  return Number(count);
}
