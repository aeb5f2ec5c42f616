import { setTimeout as sleep } from "node:timers/promises";
import { whenFree } from "@nearlayer/shared/catalog/busy";
import type { EventGroup } from "@nearlayer/shared/catalog/events";
import { latestGenerations } from "@nearlayer/shared/catalog/generations";
import { wantProbe } from "@nearlayer/shared/catalog/mirror-states";
import { recordNotices } from "@nearlayer/shared/catalog/notices";
import type { Catalog } from "@nearlayer/shared/catalog/open";
import type { Config } from "@nearlayer/shared/config/schema";
import { isNearlayerError } from "@nearlayer/shared/errors";
import type { Generation } from "@nearlayer/shared/generation";
import type { Logger } from "@nearlayer/shared/log";
import type { Reference } from "@nearlayer/shared/reference";
import { type Failure, failureOf } from "../commands/failure.ts";
import { publish } from "../commands/publish.ts";
import type { Run } from "../commands/run.ts";
import { requireSource, withSource } from "../commands/source.ts";
import { type SyncResult, sync } from "../commands/sync.ts";
import { partsOf, type Scope, scopeOf } from "../source/walk.ts";
import type { Metrics } from "./metrics.ts";
import { destinationsOf, publishedNotice } from "./notify/notice.ts";

/** How often a store that somebody else works on is tried again, in milliseconds. */
const LOCKED_POLL_MS = 500;

/** How many repositories an audit reads at a time; events wait for no more than that. */
const PART = 50;

export interface WorkContext {
  readonly config: Config;
  readonly catalog: Catalog;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly run: Run;
}

/** What a sync could not do, and whether the targets may lack something because of what it did. */
export interface Synced {
  readonly failures: readonly Failure[];
  /** Was the source looked at, whatever came of single tags? */
  readonly isWhole: boolean;
}

/** What carries changes to the tree, the targets and those who want to hear of it. A sync and a publish may run side by side. */
export interface Work {
  /** Syncs what is wanted; `groups` are who asked. Throws only when it is interrupted. */
  sync(wanted: readonly Reference[] | Scope, groups?: readonly EventGroup[]): Promise<Synced>;
  /** All of the source, in parts that a sync is soon done with; undefined when the source does not tell what it has. */
  partsOfAll(): Promise<readonly Scope[] | undefined>;
  /** Publishes what the targets may not have yet. Returns why that failed. */
  publish(): Promise<string | undefined>;
  /** May a target lack something? */
  isBehind(): boolean;
  /** Is it being published? */
  isPublishing(): boolean;
}

export function createWork(context: WorkContext): Work {
  const { config, catalog, metrics, log, run } = context;
  // What was synced and not published before a kill is published at the next start.
  let isBehind = true;
  let isPublishing = false;

  const publishAll = async (): Promise<string | undefined> => {
    // What is there now is out once the publish is done; what a sync makes meanwhile is told of after the next one.
    const newest = await latestGenerations(catalog);
    // Before the first sync there is nothing to publish.
    if (config.publish.targets.length > 0 && newest.length > 0) {
      const failure = await failureOfPublish(context);
      metrics.published(failure === undefined ? "ok" : "failed");
      if (failure !== undefined) {
        log.error({ reason: failure }, "publishing failed");
        return failure;
      }
    }
    await tellOthers(context, newest);
    return undefined;
  };

  return {
    isBehind: () => isBehind,
    isPublishing: () => isPublishing,
    async publish() {
      run.signal.throwIfAborted();
      if (!isBehind) return undefined;
      // A sync that ends meanwhile may come too late for this one, and says so again.
      isBehind = false;
      isPublishing = true;
      try {
        const failure = await publishAll();
        isBehind ||= failure !== undefined;
        return failure;
      } catch (error) {
        isBehind = true;
        throw error;
      } finally {
        isPublishing = false;
      }
    },
    async partsOfAll() {
      const settings = requireSource(config);
      try {
        return partsOf(await withSource(settings, run, (source) => scopeOf(source, settings)), PART);
      } catch (error) {
        run.signal.throwIfAborted();
        log.error({ err: error }, "the source could not be listed");
        return undefined;
      }
    },
    async sync(wanted, groups = []) {
      const started = Date.now();
      const references = "wanted" in wanted ? wanted.wanted : wanted;
      const repositories = new Set(references.map(({ repository }) => repository)).size;
      const count = (result: "ok" | "failed") => metrics.synced(result, repositories, (Date.now() - started) / 1000);
      let result: SyncResult;
      try {
        result = await untilUnlocked(context, () => sync(config, wanted, run));
      } catch (error) {
        run.signal.throwIfAborted();
        count("failed");
        log.error({ err: error, repositories }, "a sync failed");
        return { failures: groups.map((group) => failureOf(group, error)), isWhole: false };
      }
      const { failures, updated, unchanged, removed, generations, fetched } = result;
      count(failures.length === 0 ? "ok" : "failed");
      isBehind ||= generations.length > 0;
      const ms = Date.now() - started;
      log.info(
        { repositories, updated: updated.length, unchanged, removed, failed: failures.length, ...fetched, ms },
        "synced",
      );
      for (const failure of failures) log.warn(failure, "not synced");
      return { failures, isWhole: true };
    },
  };
}

async function failureOfPublish(context: WorkContext): Promise<string | undefined> {
  const { config, log, run } = context;
  const started = Date.now();
  try {
    const { targets } = await untilUnlocked(context, () => publish(config, {}, run));
    const failed = targets.flatMap((target) => (target.ok ? [] : [target.message]));
    const files = targets.reduce((sum, target) => sum + (target.ok ? target.files : 0), 0);
    log.info({ targets: targets.length, failed: failed.length, files, ms: Date.now() - started }, "published");
    return failed.length === 0 ? undefined : failed.join("; ");
  } catch (error) {
    run.signal.throwIfAborted();
    return failureOf({ repository: "" }, error).message;
  }
}

/** Another process that works on the store is waited for, for as long as it takes: that is no failure. */
async function untilUnlocked<T>({ log, run }: WorkContext, work: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if (!isNearlayerError(error, "STORE_LOCKED")) throw error;
      if (tries === 0) log.info({ reason: error.message }, "waiting for the store");
      await sleep(LOCKED_POLL_MS, undefined, { signal: run.signal }).catch(() => run.signal.throwIfAborted());
    }
  }
}

/** Writes down who is to hear of the generations that are out, and asks for a look at the mirrors that have them by now. */
async function tellOthers({ config, catalog }: WorkContext, published: readonly Generation[]): Promise<void> {
  const now = new Date();
  for (const name of config.events.probe) await whenFree(() => wantProbe(catalog, name, now.toISOString()));
  const destinations = destinationsOf(config.events.notify);
  if (destinations.length === 0) return;
  const notices = published.map((generation) => publishedNotice(generation, config.events.notify));
  await whenFree(() => recordNotices(catalog, notices, destinations, now));
}
