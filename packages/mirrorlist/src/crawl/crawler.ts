import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { pruneAudits } from "@nearlayer/shared/catalog/audits";
import { pruneHistory } from "@nearlayer/shared/catalog/history";
import { claimTurns } from "@nearlayer/shared/catalog/leases";
import { type AppliedTransition, readWantedProbes } from "@nearlayer/shared/catalog/mirror-states";
import { readMirrors } from "@nearlayer/shared/catalog/mirrors";
import type { Catalog } from "@nearlayer/shared/catalog/open";
import { readProbes } from "@nearlayer/shared/catalog/probes";
import { isBusy } from "@nearlayer/shared/catalog/variants";
import { messageOf } from "@nearlayer/shared/errors";
import type { Logger } from "@nearlayer/shared/log";
import type { Mirror } from "../mirrors/mirror.ts";
import type { Network } from "../mirrors/network.ts";
import type { Probe } from "../mirrors/probe.ts";
import { auditEvery, isAudited, takeAudit, takeSuspicion } from "./audit-turn.ts";
import type { BlobThere } from "./blob-check.ts";
import { createJournal } from "./journal.ts";
import { createBlobDraw } from "./new-blobs.ts";
import { createPool } from "./pool.ts";
import { probeOf } from "./rows.ts";
import { firstTurnIn } from "./schedule.ts";
import { createMadeAt, createTravels } from "./travels.ts";
import { platformsToProbe, type TurnMeans, type TurnReport, takeTurn } from "./turn.ts";

/** What a crawler works with. */
export interface CrawlerDeps extends Omit<TurnMeans, "blobs" | "madeAt" | "random" | "signal"> {
  /** A connection of its own (`openCrawlCatalog`). */
  readonly catalog: Catalog;
  readonly network: Network;
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

/** How many mirrors are asked at a time, and how many are audited. */
const TURNS = 64;
const AUDITS = 8;
const HISTORY_MS = 10_000;
/** A generation this old at the start, and two intervals, is still followed on its way: its time is in whole seconds. */
const NEWS_MS = 5000;
const PRUNE_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** A client's word costs a mirror one look in this time. */
const SUSPICION_MS = 10_000;
/** What is learned of a turn goes into the memory with what others learn at the same time. */
const GATHER_MS = 20;
/** How long shutting down may take to write what is left. */
const LAST_WORDS_MS = 2000;

/** How often it is looked whose turn it is. */
const tickMs = (interval: number) => Math.min(1000, Math.max(50, interval / 30));

/**
 * Crawls the mirrors together with all other instances on the catalog: turns are leased (`leases.ts`), and what others
 * have seen is read. While the catalog is out of reach it crawls on its own, and only what it knows already counts.
 */
export function createCrawler(deps: CrawlerDeps): Crawler {
  const { catalog, network, settings, newest, log, random = Math.random } = deps;
  const stop = new AbortController();
  const holder = randomUUID();
  const journal = createJournal();
  const turns = createPool(TURNS);
  const audits = createPool(AUDITS);
  const underWay = new Map<string, Promise<void>>();
  /** By our own clock. */
  const nextAt = new Map<string, number>();
  const auditedAt = new Map<string, number>();
  const suspectedAt = new Map<string, number>();
  const startedAt = deps.now();
  let skew = 0;
  let [othersSeenAt, readUpTo] = [Number.NEGATIVE_INFINITY, ""];
  let [historyAt, prunedAt] = [startedAt, startedAt - random() * PRUNE_MS];
  let revision = -1;
  let isReady = false;
  let hasMoved = true;
  let wake = new AbortController();
  let loop: Promise<void> | undefined;
  let firstTurns: Promise<void> | undefined;
  const databaseTime = () => deps.now() + skew;
  const madeAt = createMadeAt(catalog);
  const travels = createTravels(catalog, madeAt, startedAt, () => 2 * settings().interval + NEWS_MS);
  const means: TurnMeans = {
    ...deps,
    now: deps.now,
    random,
    madeAt: async (platform, generation) => {
      const at = await madeAt(platform, generation);
      return at === undefined ? undefined : at - skew;
    },
    blobs: createBlobDraw(catalog, random, deps.now),
    signal: stop.signal,
  };

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

  const mirrorOf = (name: string) => network.mirrors().find((mirror) => mirror.name === name);
  const isCrawled = (mirror: Mirror) =>
    !mirror.disabled && (mirror.state === "pending" || platformsToProbe(mirror, newest().keys()).length > 0);

  /** Turns that are to be had now; without the catalog, all that are due. */
  async function claim(due: ReadonlyMap<string, Mirror>, forced?: ReadonlySet<string>): Promise<Mirror[]> {
    const { interval } = settings();
    const wished = await readWantedProbes(catalog).catch(() => []);
    const asked = new Map(due);
    for (const { name } of wished) {
      const mirror = asked.has(name) || underWay.has(name) ? undefined : mirrorOf(name);
      if (mirror !== undefined && isCrawled(mirror)) asked.set(name, mirror);
    }
    if (asked.size === 0) return [];
    const wanted = [...asked].map(
      ([name, { seed }]) => [name, { every: interval, first: firstTurnIn(interval, seed[0]) }] as const,
    );
    try {
      const taken = await claimTurns(catalog, { holder, due: new Map(wanted), wished, ...(forced && { now: forced }) });
      skew = taken.now - deps.now();
      for (const [name, until] of taken.until) nextAt.set(name, until - skew);
      if (taken.ours.length < asked.size) othersSeenAt = deps.now();
      return taken.ours.flatMap((name) => asked.get(name) ?? []);
    } catch (error) {
      if (isBusy(error)) {
        const late = [...due.keys()].some((name) => deps.now() - (nextAt.get(name) ?? startedAt) > interval / 4);
        if (!late && forced === undefined) return [];
      } else log.debug({ reason: messageOf(error) }, "crawling without the catalog");
      for (const name of due.keys()) nextAt.set(name, deps.now() + interval);
      return [...due.values()];
    }
  }

  function begin(mirror: Mirror): Promise<void> {
    const { name } = mirror;
    const turn = turns
      .run(async () => {
        // What is known of it may be newer by now.
        const current = mirrorOf(name);
        if (current === undefined || stop.signal.aborted) return;
        const report = await takeTurn(current, means);
        if (!stop.signal.aborted) settle(report);
      })
      .catch((error: unknown) => {
        if (!stop.signal.aborted) log.error({ err: error, mirror: name }, "a turn of the crawl failed");
      })
      .finally(() => underWay.delete(name));
    underWay.set(name, turn);
    return turn;
  }

  function settle({ mirror, probes, audits: found, transitions, nextIn, lagMs }: TurnReport): void {
    const { name } = mirror;
    logChanges(mirror, probes, log);
    hasMoved ||= probes.some(({ platform, generation }) => mirror.probes.get(platform)?.generation !== generation);
    journal.probed(name, mirror.probes, probes);
    gather(name, probes);
    if (probes.length > 0) {
      const failed = probes.filter(({ failure }) => failure !== undefined).length;
      journal.counted(name, { probes: probes.length, failed, lagMs }, databaseTime());
    }
    journal.audited(found);
    journal.changed(transitions);
    if (nextIn !== settings().interval) {
      nextAt.set(name, deps.now() + nextIn);
      journal.moved(name, databaseTime() + nextIn);
    }
    if (transitions.length > 0) wake.abort();
    auditIfDue(name);
  }

  function auditIfDue(name: string): void {
    const mirror = mirrorOf(name);
    if (mirror === undefined || !isAudited(mirror)) return;
    const every = auditEvery(mirror, settings());
    // Not all at once after a start.
    const last = auditedAt.get(name) ?? deps.now() - random() * every;
    if (!auditedAt.has(name)) auditedAt.set(name, last);
    if (deps.now() - last < every || audits.waiting > network.mirrors().length) return;
    auditedAt.set(name, deps.now());
    void audits
      .run(async () => {
        const current = mirrorOf(name);
        const report =
          current && isAudited(current) && !stop.signal.aborted ? await takeAudit(current, means) : undefined;
        if (report !== undefined && !stop.signal.aborted) conclude(report);
      })
      .catch((error: unknown) => log.debug({ err: error, mirror: name }, "an audit could not be made"));
  }

  function conclude({ mirror, probes, audits: found, transitions }: Awaited<ReturnType<typeof takeSuspicion>>): void {
    for (const { ok, detail, platform } of found) {
      if (ok === 0) log.warn({ mirror: mirror.name, platform, detail }, "mirror fails an audit");
    }
    hasMoved ||= probes.length > 0;
    if (probes.length > 0) journal.probed(mirror.name, mirror.probes, probes);
    gather(mirror.name, probes);
    journal.audited(found);
    journal.changed(transitions);
    if (transitions.length > 0) wake.abort();
  }

  /** What other instances have written, and at the start what anybody has. */
  async function readOthers(): Promise<void> {
    if (readUpTo !== "" && deps.now() - othersSeenAt > 3 * settings().interval) return;
    const rows = await readProbes(catalog, readUpTo);
    const known = new Map(network.mirrors().map((mirror) => [mirror.name, mirror]));
    const news = new Map<string, Probe[]>();
    for (const row of rows) {
      if (row.at > readUpTo) readUpTo = row.at;
      const probe = probeOf(row, skew);
      const ours = known.get(row.mirror)?.probes.get(row.platform);
      if (!known.has(row.mirror) || underWay.has(row.mirror) || (ours !== undefined && ours.at >= probe.at)) continue;
      hasMoved ||= ours?.generation !== probe.generation;
      news.set(row.mirror, [...(news.get(row.mirror) ?? []), probe]);
    }
    readUpTo ||= "0";
    if (news.size > 0) network.recordAll(news);
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
    if (withHistory) historyAt = deps.now();
    const applied = await journal.flush(catalog, { skew, withHistory });
    if (applied === undefined) return;
    for (const change of applied) {
      const { name: mirror, was, to, reason } = change;
      log[to === "active" ? "info" : "warn"]({ mirror, from: was, to, reason }, "mirror changes its state");
      deps.onChange?.(change);
    }
    const read = await readMirrors(catalog, revision);
    revision = read.revision;
    network.follow(read);
  }

  async function tick(): Promise<void> {
    await readOthers().catch(() => undefined);
    const now = deps.now();
    const due = new Map<string, Mirror>();
    for (const mirror of network.mirrors()) {
      if (!underWay.has(mirror.name) && (nextAt.get(mirror.name) ?? 0) <= now && isCrawled(mirror))
        due.set(mirror.name, mirror);
    }
    const begun = (await claim(due)).map(begin);
    firstTurns ??= Promise.all(begun).then(async () => {
      hasMoved = true;
      await flush(false).catch(() => undefined);
      isReady = true;
    });
    await flush(deps.now() - historyAt >= HISTORY_MS).catch((error: unknown) => {
      if (!isBusy(error)) log.debug({ reason: messageOf(error) }, "what the crawler has seen is not written down yet");
    });
    if (deps.now() - prunedAt >= PRUNE_MS) {
      prunedAt = deps.now();
      await prune().catch((error: unknown) => log.debug({ reason: messageOf(error) }, "the history was not pruned"));
    }
  }

  async function prune(): Promise<void> {
    const before = (ms: number) => new Date(databaseTime() - ms).toISOString();
    await pruneHistory(catalog, before(settings().history));
    await pruneAudits(catalog, settings().audits, before(DAY_MS));
    const names = new Set(network.mirrors().map(({ name }) => name));
    for (const map of [nextAt, auditedAt, suspectedAt])
      for (const name of map.keys()) if (!names.has(name)) map.delete(name);
  }

  return {
    isReady: () => isReady,
    async runNow(names) {
      await readOthers().catch(() => undefined);
      const wanted = network.mirrors().filter((mirror) => isCrawled(mirror) && (names?.has(mirror.name) ?? true));
      const due = new Map(wanted.filter(({ name }) => !underWay.has(name)).map((mirror) => [mirror.name, mirror]));
      const begun = (await claim(due, new Set(due.keys()))).map(begin);
      await Promise.all([...begun, ...wanted.flatMap(({ name }) => underWay.get(name) ?? [])]);
      hasMoved = true;
      await flush(false).catch((error: unknown) =>
        log.debug({ reason: messageOf(error) }, "nothing is written down yet"),
      );
      isReady = true;
    },
    start() {
      loop ??= (async () => {
        while (!stop.signal.aborted) {
          wake = new AbortController();
          await tick().catch((error: unknown) => log.error({ err: error }, "the crawl failed"));
          const signal = AbortSignal.any([stop.signal, wake.signal]);
          await sleep(tickMs(settings().interval), undefined, { signal, ref: false }).catch(() => undefined);
        }
      })();
    },
    suspect(there) {
      const { name } = there.mirror;
      if (deps.now() - (suspectedAt.get(name) ?? 0) < SUSPICION_MS) return;
      suspectedAt.set(name, deps.now());
      void audits
        .run(async () => {
          const mirror = mirrorOf(name);
          if (mirror === undefined || mirror.url !== there.mirror.url || stop.signal.aborted) return;
          const report = await takeSuspicion({ ...there, mirror }, means);
          if (!stop.signal.aborted) conclude(report);
        })
        .catch((error: unknown) => log.debug({ err: error, mirror: name }, "a suspicion could not be looked into"));
    },
    redirected: (mirror, bytes) => journal.redirected(mirror, bytes, databaseTime()),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await loop;
      await Promise.all([turns.idle(), audits.idle(), firstTurns]);
      await Promise.race([flush(true).catch(() => undefined), sleep(LAST_WORDS_MS, undefined, { ref: false })]);
    },
  };
}

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
