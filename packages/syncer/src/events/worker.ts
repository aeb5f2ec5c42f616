import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { whenFree } from "@nearlayer/shared/catalog/busy";
import {
  dueEvents,
  type EventGroup,
  nextEventAt,
  pruneEvents,
  readAuditedAt,
  recordAudit,
} from "@nearlayer/shared/catalog/events";
import { digestOfTag } from "@nearlayer/shared/catalog/images";
import type { Catalog } from "@nearlayer/shared/catalog/open";
import type { EventsConfig } from "@nearlayer/shared/config/events";
import type { Digest } from "@nearlayer/shared/digest";
import type { Logger } from "@nearlayer/shared/log";
import type { Metrics } from "./metrics.ts";
import { waitAfter } from "./plan/backoff.ts";
import { failureIn, failuresOfEarly, MAX_BATCH, referencesOf } from "./plan/batch.ts";
import { type Arrivals, holdFor, noteArrivals } from "./plan/hold.ts";
import { createPublisher, settleBatch } from "./publisher.ts";
import type { Work } from "./work.ts";

/** How often the journal is looked at for what another process has written down, in milliseconds. */
const POLL_MS = 250;

/** How often what is done for long is forgotten, in milliseconds. */
const PRUNE_MS = 3_600_000;

/** How many batches of events an audit lets pass at a time: it goes on however many come in. */
const BATCHES_BETWEEN_PARTS = 10;

export interface WorkerOptions {
  readonly config: EventsConfig;
  readonly catalog: Catalog;
  readonly work: Work;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Aborted when it is to end. */
  readonly signal: AbortSignal;
}

/** What syncs by the journal, one sync at a time, and has it published beside the next one. */
export interface Worker {
  /** So many events have come in: there is something to do. */
  noteArrivals(count: number): void;
  /** Runs until its signal is aborted. What was under way then goes on where it stopped at the next start. */
  run(): Promise<void>;
}

/** Something that is done when its time has come, and tried again later when it fails. */
interface Chore {
  /** In epoch milliseconds. */
  dueAt: number;
  failures: number;
}

export function createWorker(options: WorkerOptions): Worker {
  const { config, catalog, work, metrics, log, signal } = options;
  let arrivals: Arrivals = { times: [] };
  let wake = new AbortController();
  const audit: Chore = { dueAt: Number.POSITIVE_INFINITY, failures: 0 };
  const publisher = createPublisher(options);
  let prunedAt = 0;

  const pause = async (ms: number) => {
    wake = new AbortController();
    const signals = AbortSignal.any([signal, wake.signal]);
    await sleep(Math.max(0, ms), undefined, { signal: signals }).catch(() => undefined);
  };
  const again = (chore: Chore) => {
    chore.failures += 1;
    chore.dueAt = Date.now() + waitAfter(chore.failures, config.retry, Math.random());
  };

  /** Syncs what is due. Returns whether there was anything. */
  const workOff = async (): Promise<boolean> => {
    const asOf = new Date();
    const due = await dueEvents(catalog, asOf, MAX_BATCH + publisher.size());
    const groups = due.filter((group) => !publisher.isUnderWay(group));
    const [oldest] = groups;
    if (oldest === undefined) return false;
    const hold = holdFor(arrivals, Date.parse(oldest.oldest), Date.now());
    if (hold > 0) {
      // Not woken by what comes in: that is what is waited for.
      await sleep(Math.min(hold, POLL_MS), undefined, { signal }).catch(() => undefined);
      return true;
    }
    const synced = await work.sync(referencesOf(groups), groups);
    const failures = [...synced.failures, ...(synced.isWhole ? await earlyOf(groups) : [])];
    const hasFailed = (group: EventGroup) => failureIn(group, failures) !== undefined;
    await settleBatch({ groups: groups.filter(hasFailed), asOf }, failures, options);
    const carried = { groups: groups.filter((group) => !hasFailed(group)), asOf };
    if (work.isBehind() || work.isPublishing()) publisher.add(carried);
    else await settleBatch(carried, [], options);
    return true;
  };

  const earlyOf = async (groups: readonly EventGroup[]) => {
    const told = groups.filter(({ digest }) => digest !== undefined);
    const digests = new Map<EventGroup, Digest | undefined>();
    for (const group of told) {
      if (group.tag !== undefined) digests.set(group, await digestOfTag(catalog, group.repository, group.tag));
    }
    return failuresOfEarly(told, (group) => digests.get(group));
  };

  /** Syncs all of the source part by part, and what events ask for between them. */
  const syncParts = async () => {
    const parts = await work.partsOfAll();
    let failed = 0;
    for (const part of parts ?? []) {
      const { failures, isWhole } = await work.sync(part);
      if (!isWhole) return { isWhole, failed };
      failed += failures.length;
      publisher.add({ groups: [], asOf: new Date() });
      for (let batches = 0; batches < BATCHES_BETWEEN_PARTS && (await workOff()); ) batches += 1;
    }
    return { isWhole: parts !== undefined, failed };
  };

  const lookThroughAll = async () => {
    log.info("looking through all of the source");
    const { isWhole, failed } = await syncParts();
    metrics.audited(isWhole && failed === 0 ? "ok" : "failed");
    // Single tags that fail are no reason to begin anew: the next audit meets them again.
    if (!isWhole || config.audit === "never") return again(audit);
    const now = new Date();
    await whenFree(() => recordAudit(catalog, now));
    Object.assign(audit, { dueAt: now.getTime() + config.audit, failures: 0 });
  };

  const step = async (): Promise<void> => {
    if (await workOff()) return;
    const now = Date.now();
    if (audit.dueAt <= now) return lookThroughAll();
    if (now - prunedAt > PRUNE_MS) {
      await whenFree(() => pruneEvents(catalog, new Date(now - config.keep)));
      prunedAt = now;
    }
    // What is due already is on its way to the targets.
    const left = ((await nextEventAt(catalog))?.getTime() ?? 0) - now;
    await pause(left > 0 ? Math.min(left, POLL_MS) : POLL_MS);
  };

  return {
    noteArrivals(count) {
      arrivals = noteArrivals(arrivals, count, Date.now());
      wake.abort();
    },
    async run() {
      const publishing = publisher.run();
      const last = await readAuditedAt(catalog);
      if (config.audit !== "never") audit.dueAt = (last?.getTime() ?? 0) + config.audit;
      for (let failures = 0; !signal.aborted; ) {
        try {
          // SQLite answers without ever leaving the turn of the event loop: others must have theirs.
          await nextTurn();
          await step();
          failures = 0;
        } catch (err) {
          if (signal.aborted) break;
          // The catalog is out of reach, or there is a bug: nothing is lost, and it is tried again.
          failures += 1;
          log.error({ err }, "the journal could not be worked off");
          await pause(waitAfter(failures, { first: 500, longest: 30_000 }, Math.random()));
        }
      }
      await publishing;
    },
  };
}
