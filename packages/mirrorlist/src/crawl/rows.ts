import type { ProbeRow } from "@nearlayer/shared/catalog/probes";
import type { Probe, ProbeFailureKind } from "../mirrors/probe.ts";

/** A doubt is no failure: the mirror answers, and counts for what was seen there before. In the catalog both are one column. */
const DOUBT = "unproven";

const MAX_TEXT = 500;

/** A probe as the catalog keeps it. `skew` is how far the database's clock is ahead of ours, in ms. */
export function rowOf(mirror: string, probe: Probe, skew: number): ProbeRow {
  const { platform, at, seenAt, generation, shown, doubt, etag, lastModified, failure } = probe;
  const iso = (ms: number) => new Date(ms + skew).toISOString();
  return {
    mirror,
    platform,
    at: iso(at),
    seenAt: seenAt === undefined ? null : iso(seenAt),
    generation: generation ?? null,
    shown: shown ?? generation ?? null,
    etag: etag ?? null,
    lastModified: lastModified ?? null,
    failureKind: failure?.kind ?? (doubt === undefined ? null : DOUBT),
    failure: (failure?.message ?? doubt ?? null)?.slice(0, MAX_TEXT) ?? null,
  };
}

/** A probe as it was written by any instance, in our own time. */
export function probeOf(row: ProbeRow, skew: number): Probe {
  const ms = (iso: string) => Date.parse(iso) - skew;
  const isDoubt = row.failureKind === DOUBT;
  const hasFailed = row.failureKind !== null && !isDoubt;
  return {
    platform: row.platform,
    at: ms(row.at),
    ...(row.seenAt === null ? {} : { seenAt: ms(row.seenAt) }),
    ...(row.generation === null ? {} : { generation: row.generation }),
    ...(isDoubt && row.shown !== null ? { shown: row.shown, doubt: row.failure ?? "" } : {}),
    ...(row.etag === null ? {} : { etag: row.etag }),
    ...(row.lastModified === null ? {} : { lastModified: row.lastModified }),
    ...(hasFailed ? { failure: { kind: row.failureKind as ProbeFailureKind, message: row.failure ?? "" } } : {}),
  };
}

/** Do two probes say the same but for their times? */
export function isSameProbe(a: Probe | undefined, b: Probe): boolean {
  return (
    a !== undefined &&
    a.generation === b.generation &&
    a.shown === b.shown &&
    a.doubt === b.doubt &&
    a.etag === b.etag &&
    a.lastModified === b.lastModified &&
    a.failure?.kind === b.failure?.kind &&
    a.failure?.message === b.failure?.message
  );
}
