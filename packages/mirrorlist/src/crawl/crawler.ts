import { setTimeout as sleep } from "node:timers/promises";
import { pruneAudits } from "@nearlayer/shared/catalog/audits";
import { pruneHistory } from "@nearlayer/shared/catalog/history";
import type { AppliedTransition } from "@nearlayer/shared/catalog/mirror-states";
import type { Catalog } from "@nearlayer/shared/catalog/open";
import { isBusy } from "@nearlayer/shared/catalog/variants";
import { messageOf } from "@nearlayer/shared/errors";
import type { Logger } from "@nearlayer/shared/log";
import type { Mirror } from "../mirrors/mirror.ts";
import type { Network } from "../mirrors/network.ts";
import type { Probe } from "../mirrors/probe.ts";
import { createPool } from "../pool.ts";
import type { AuditReport } from "./audit-turn.ts";
import { createAuditor } from "./auditor.ts";
import type { BlobThere } from "./blob-check.ts";
import { createJournal } from "./journal.ts";
import { createBlobDraw } from "./new-blobs.ts";
import { createShare } from "./share.ts";
import { createMadeAt, createTravels } from "./travels.ts";
import { platformsToProbe, type TurnMeans, type TurnReport, takeTurn } from "./turn.ts";

/** What a crawler works with. */
export interface CrawlerDeps extends Omit<TurnMeans, "blobs" | "madeAt" | "random" | "signal"> {
  /** A connection of its own (`openCrawlCatalog`). */
  readonly catalog: Catalog;
  readonly network: Network;
  /** Brings the network in line with the catalog, where states have changed. */
  readonly refresh: () => Promise<void>;
  readonly log: Logger;
  readonly random?: () => number;
  /** Told of each change of state that this instance has brought about. */
  readonly onChange?: (change: AppliedTransition) => void;
}

export interface Crawler extends AsyncDisposable {
  /** Have the mirrors been asked once, or has another instance done so just now? */
  isReady(): boolean;
  /** A turn for every mirror, or for those of these names, now. Resolves when they have ended and are written down. */
  runNow(names?: ReadonlySet<string>): Promise<void>;
  /** Goes on by itself until it is disposed of. */
  start(): void;
  /** A client's way has shown a blob that is not as it should be: is that so? */
  suspect(there: BlobThere): void;
  /** A client was sent to a mirror for a layer of so many bytes. Costs a line in memory. */
  redirected(mirror: string, bytes: number): void;
}

/** How many mirrors are asked at a time. */
const TURNS = 64;
const HISTORY_MS = 10_000;
/** A generation this old at the start, and two intervals, is still followed on its way: its time is in whole seconds. */
const NEWS_MS = 5000;
const PRUNE_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** What is learned of a turn goes into the memory with what others learn at the same time. */
const GATHER_MS = 20;
/** How long shutting down may take to write what is left. */
const LAST_WORDS_MS = 2000;

/** How often it is looked whose turn it is. */
const tickMs = (interval: number) => Math.min(1000, Math.max(50, interval / 30));

/**
 * Crawls the mirrors together with all other instances on the catalog: turns are leased (`share.ts`), and what others
 * have seen is read. While the catalog is out of reach it crawls on its own, and only what it knows already counts.
 */
export function createCrawler(deps: CrawlerDeps): Crawler {
  const { catalog, network, settings, newest, log, now, random = Math.random } = deps;
  const stop = new AbortController();
  const journal = createJournal();
  const turns = createPool(TURNS);
  const underWay = new Map<string, Promise<void>>();
  const startedAt = now();
  const interval = () => settings().interval;
  const share = createShare({ catalog, interval, now, log });
  const databaseTime = () => now() + share.skew();
  const madeAt = createMadeAt(catalog);
  const travels = createTravels(catalog, madeAt, startedAt, () => 2 * interval() + NEWS_MS);
  const means: TurnMeans = {
    ...deps,
    random,
    madeAt: async (platform, generation) => {
      const at = await madeAt(platform, generation);
      return at === undefined ? undefined : at - share.skew();
    },
    blobs: createBlobDraw(catalog, random, now),
    signal: stop.signal,
  };
  const find = (name: string) => network.mirrors().find((mirror) => mirror.name === name);
  const auditor = createAuditor({ means, settings, find, report: conclude, log });
  let [historyAt, prunedAt] = [startedAt, startedAt - random() * PRUNE_MS];
  let isReady = false;
  /** Has any mirror come further since it was last looked how generations travel? */
  let hasMoved = true;
  let wake = new AbortController();
  let loop: Promise<void> | undefined;
  let firstTurns: Promise<void> | undefined;

  // What turns bring goes into the network's memory in whole lots: each is a new list of all mirrors.
  let gathered = new Map<string, Probe[]>();
  const gather = (name: string, probes: readonly Probe[]) => {
    if (probes.length === 0) return;
    if (gathered.size === 0) setTimeout(recordGathered, GATHER_MS).unref();
    gathered.set(name, [...(gathered.get(name) ?? []), ...probes]);
  };
  const recordGathered = () => {
    const all = gathered;
    gathered = new Map();
    if (all.size > 0) network.recordAll(all);
  };

  /** Is there another server, or none, under its name by now? What was seen is not of that one. */
  const isGone = ({ name, url }: Mirror) => find(name)?.url !== url;
  const isCrawled = (mirror: Mirror) =>
    !mirror.disabled && (mirror.state === "pending" || platformsToProbe(mirror, newest().keys()).length > 0);
  const findIdle = (name: string) => {
    const mirror = underWay.has(name) ? undefined : find(name);
    return mirror !== undefined && isCrawled(mirror) ? mirror : undefined;
  };

  function begin({ name }: Mirror): Promise<void> {
    const turn = turns
      .run(async () => {
        // What is known of it may be newer by now.
        const mirror = find(name);
        if (mirror === undefined || stop.signal.aborted) return;
        const report = await takeTurn(mirror, means);
        if (!stop.signal.aborted) settle(report);
      })
      .catch((error: unknown) => {
        if (!stop.signal.aborted) log.error({ err: error, mirror: name }, "a turn of the crawl failed");
      })
      .finally(() => underWay.delete(name));
    underWay.set(name, turn);
    return turn;
  }

  function settle({ mirror, probes, audits, transitions, nextIn, lagMs }: TurnReport): void {
    const { name } = mirror;
    if (isGone(mirror)) return;
    logChanges(mirror, probes, log);
    note(mirror, probes);
    if (probes.length > 0) {
      const failed = probes.filter(({ failure }) => failure !== undefined).length;
      journal.counted(name, { probes: probes.length, failed, lagMs }, databaseTime());
    }
    journal.audited(audits);
    journal.changed(transitions);
    if (nextIn !== interval()) {
      share.postpone(name, nextIn);
      journal.moved(name, databaseTime() + nextIn);
    }
    if (transitions.length > 0) wake.abort();
    auditor.visit(name);
  }

  function conclude({ mirror, probes, audits, transitions }: AuditReport): void {
    if (isGone(mirror)) return;
    for (const { ok, detail, platform } of audits) {
      if (ok === 0) log.warn({ mirror: mirror.name, platform, detail }, "mirror fails an audit");
    }
    if (probes.length > 0) note(mirror, probes);
    journal.audited(audits);
    journal.changed(transitions);
    if (transitions.length > 0) wake.abort();
  }

  function note(mirror: Mirror, probes: readonly Probe[]): void {
    hasMoved ||= probes.some(({ platform, generation }) => mirror.probes.get(platform)?.generation !== generation);
    journal.probed(mirror.name, mirror.probes, probes);
    gather(mirror.name, probes);
  }

  /** Takes over what others have seen, where it is newer than what was seen here. */
  async function readOthers(): Promise<void> {
    const others = await share.readOthers();
    if (others.size === 0) return;
    const known = new Map(network.mirrors().map((mirror) => [mirror.name, mirror]));
    const news = new Map<string, readonly Probe[]>();
    for (const [name, probes] of others) {
      const mirror = underWay.has(name) ? undefined : known.get(name);
      const newer = probes.filter(({ platform, at }) => (mirror?.probes.get(platform)?.at ?? 0) < at);
      if (mirror !== undefined && newer.length > 0) news.set(name, newer);
    }
    if (news.size === 0) return;
    hasMoved = true;
    network.recordAll(news);
  }

  // One after the other, so that nothing is written twice.
  let flushed: Promise<void> = Promise.resolve();
  function flush(withHistory: boolean): Promise<void> {
    const next = flushed.then(() => writeDown(withHistory));
    flushed = next.catch(() => undefined);
    return next;
  }

  async function writeDown(withHistory: boolean): Promise<void> {
    recordGathered();
    if (hasMoved) {
      hasMoved = false;
      journal.propagated(await travels.look(network.mirrors(), newest(), databaseTime()));
    }
    if (journal.isEmpty() && !withHistory) return;
    if (withHistory) historyAt = now();
    const applied = await journal.flush(catalog, { skew: share.skew(), withHistory });
    if (applied === undefined) return;
    for (const change of applied) {
      const { name: mirror, was, to, reason } = change;
      log[to === "active" ? "info" : "warn"]({ mirror, from: was, to, reason }, "mirror changes its state");
      deps.onChange?.(change);
    }
    await deps.refresh();
  }

  async function tick(): Promise<void> {
    await readOthers().catch(() => undefined);
    const due = network
      .mirrors()
      .filter((mirror) => !underWay.has(mirror.name) && share.isDue(mirror.name) && isCrawled(mirror));
    const begun = (await share.claim(byName(due), findIdle)).map(begin);
    firstTurns ??= Promise.all(begun).then(async () => {
      hasMoved = true;
      await flush(false).catch(() => undefined);
      isReady = true;
    });
    await flush(now() - historyAt >= HISTORY_MS).catch((error: unknown) => {
      if (!isBusy(error)) log.debug({ reason: messageOf(error) }, "what the crawler has seen is not written down yet");
    });
    if (now() - prunedAt < PRUNE_MS) return;
    prunedAt = now();
    await prune().catch((error: unknown) => log.debug({ reason: messageOf(error) }, "the history was not pruned"));
  }

  async function prune(): Promise<void> {
    const before = (ms: number) => new Date(databaseTime() - ms).toISOString();
    await pruneHistory(catalog, before(settings().history));
    await pruneAudits(catalog, settings().audits, before(DAY_MS));
    const names = new Set(network.mirrors().map(({ name }) => name));
    share.keep(names);
    auditor.keep(names);
  }

  return {
    isReady: () => isReady,
    async runNow(names) {
      await readOthers().catch(() => undefined);
      const wanted = network.mirrors().filter((mirror) => isCrawled(mirror) && (names?.has(mirror.name) ?? true));
      const due = byName(wanted.filter(({ name }) => !underWay.has(name)));
      const begun = (await share.claim(due, findIdle, { forced: true })).map(begin);
      await Promise.all([...begun, ...wanted.flatMap(({ name }) => underWay.get(name) ?? [])]);
      hasMoved = true;
      await flush(false).catch((error: unknown) => {
        log.debug({ reason: messageOf(error) }, "what the crawler has seen is not written down yet");
      });
      isReady = true;
    },
    start() {
      loop ??= (async () => {
        while (!stop.signal.aborted) {
          wake = new AbortController();
          await tick().catch((error: unknown) => log.error({ err: error }, "the crawl failed"));
          const signal = AbortSignal.any([stop.signal, wake.signal]);
          await sleep(tickMs(interval()), undefined, { signal, ref: false }).catch(() => undefined);
        }
      })();
    },
    suspect: auditor.suspect,
    redirected: (mirror, bytes) => journal.redirected(mirror, bytes, databaseTime()),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await loop;
      await Promise.all([turns.idle(), auditor.idle(), firstTurns]);
      await Promise.race([flush(true).catch(() => undefined), sleep(LAST_WORDS_MS, undefined, { ref: false })]);
    },
  };
}

const byName = (mirrors: readonly Mirror[]) => new Map(mirrors.map((mirror) => [mirror.name, mirror]));

function logChanges({ name: mirror, probes }: Mirror, news: readonly Probe[], log: Logger): void {
  for (const { platform, failure, doubt } of news) {
    const known = probes.get(platform);
    if (known?.failure?.message !== failure?.message) {
      if (failure === undefined) log.info({ mirror, platform }, "mirror is well again");
      else log.warn({ mirror, platform, failure: failure.message }, "mirror fails its probe");
    }
    if (doubt !== undefined && known?.doubt !== doubt)
      log.warn({ mirror, platform, doubt }, "what a mirror shows does not count");
  }
}
