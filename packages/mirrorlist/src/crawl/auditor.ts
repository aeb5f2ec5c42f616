import type { CrawlerConfig } from "@nearlayer/shared/config/crawler";
import type { Logger } from "@nearlayer/shared/log";
import type { Mirror } from "../mirrors/mirror.ts";
import { createPool } from "../pool.ts";
import { type AuditReport, auditEvery, isAudited, takeAudit, takeSuspicion } from "./audit-turn.ts";
import type { BlobThere } from "./blob-check.ts";
import type { TurnMeans } from "./turn.ts";

/** Audits mirrors beside the turns, a few at a time. */
export interface Auditor {
  /** Audits a mirror whose turn has just ended, if it is time. */
  visit(name: string): void;
  /** Looks into a blob that was seen to be amiss. */
  suspect(there: BlobThere): void;
  /** Forgets mirrors that are no more. */
  keep(names: ReadonlySet<string>): void;
  idle(): Promise<void>;
}

export interface AuditorDeps {
  readonly means: TurnMeans;
  readonly settings: () => CrawlerConfig;
  readonly find: (name: string) => Mirror | undefined;
  readonly report: (report: AuditReport) => void;
  readonly log: Logger;
}

const AT_ONCE = 8;
/** More audits do not wait: the next turn comes. */
const MOST_WAITING = 2000;
/** A client's word costs a mirror one look in this time. */
const SUSPICION_MS = 10_000;

export function createAuditor({ means, settings, find, report, log }: AuditorDeps): Auditor {
  const { now, random, signal } = means;
  const pool = createPool(AT_ONCE);
  const auditedAt = new Map<string, number>();
  const suspectedAt = new Map<string, number>();

  const run = (name: string, work: (mirror: Mirror) => Promise<AuditReport | undefined>) => {
    void pool
      .run(async () => {
        const mirror = find(name);
        const found = mirror === undefined || signal?.aborted ? undefined : await work(mirror);
        if (found !== undefined && !signal?.aborted) report(found);
      })
      .catch((error: unknown) => log.debug({ err: error, mirror: name }, "an audit could not be made"));
  };
  return {
    visit(name) {
      const mirror = find(name);
      if (mirror === undefined || !isAudited(mirror)) return;
      const every = auditEvery(mirror, settings());
      // Not all at once after a start.
      const last = auditedAt.get(name) ?? now() - random() * every;
      const isDue = now() - last >= every && pool.waiting < MOST_WAITING;
      auditedAt.set(name, isDue ? now() : last);
      if (isDue) run(name, async (current) => (isAudited(current) ? takeAudit(current, means) : undefined));
    },
    suspect(there) {
      const { name, url } = there.mirror;
      if (now() - (suspectedAt.get(name) ?? 0) < SUSPICION_MS) return;
      suspectedAt.set(name, now());
      run(name, async (mirror) => (mirror.url === url ? takeSuspicion({ ...there, mirror }, means) : undefined));
    },
    keep(names) {
      for (const map of [auditedAt, suspectedAt]) {
        for (const name of map.keys()) if (!names.has(name)) map.delete(name);
      }
    },
    idle: () => pool.idle(),
  };
}
