import { setTimeout as sleep } from "node:timers/promises";
import { pruneAudits } from "@nearlayer/shared/catalog/audits";
import { isBusy } from "@nearlayer/shared/catalog/busy";
import { pruneHistory } from "@nearlayer/shared/catalog/history";
import type { AppliedTransition } from "@nearlayer/shared/catalog/mirror-states";
import type { Catalog } from "@nearlayer/shared/catalog/open";
import { messageOf } from "@nearlayer/shared/errors";
import type { Logger } from "@nearlayer/shared/log";
import type { Mirror } from "../mirrors/mirror.ts";
import type { Network } from "../mirrors/network.ts";
import type { Probe } from "../mirrors/probe.ts";
import type { BlobThere } from "./blob-check.ts";
import { createGather } from "./gather.ts";
import { createJournal } from "./journal.ts";
import { createBlobDraw } from "./new-blobs.ts";
import { createShare } from "./share.ts";
import { createMadeAt, createTravels } from "./travels.ts";
import type { TurnMeans } from "./turn.ts";
import { createVisits } from "./visits.ts";
import { createWriter } from "./writer.ts";

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

const HISTORY_MS = 10_000;
/** A generation this old at the start, and two intervals, is still followed on its way: its time is in whole seconds. */
const NEWS_MS = 5000;
const PRUNE_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** How long shutting down may take to write what is left. */
const LAST_WORDS_MS = 2000;

/**
 * How often it is looked whose turn it is, in milliseconds: irregularly, or of two instances that look at the same rhythm
 * the one that is first stays so, and has all the turns.
 */
const tickMs = (interval: number, random: number) => Math.min(1000, Math.max(50, interval / 30)) * (0.5 + random);

/**
 * Crawls the mirrors together with all other instances on the catalog: turns are leased (`share.ts`), and what others
 * have seen is read. While the catalog is out of reach it crawls on its own, and only what it knows already counts.
 */
export function createCrawler(deps: CrawlerDeps): Crawler {
  const { catalog, network, settings, log, now, random = Math.random } = deps;
  const stop = new AbortController();
  const journal = createJournal();
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
  const gather = createGather(network);
  const writer = createWriter({ ...deps, journal, gather, travels, share, databaseTime });
  let wake = new AbortController();
  const onNews = () => wake.abort();
  const visits = createVisits({
    means,
    signal: stop.signal,
    network,
    share,
    journal,
    gather,
    writer,
    databaseTime,
    onNews,
    log,
  });
  let [historyAt, prunedAt] = [startedAt, startedAt - random() * PRUNE_MS];
  let isReady = false;
  let loop: Promise<void> | undefined;
  let firstTurns: Promise<void> | undefined;

  /** Takes over what others have seen, where it is newer than what was seen here. */
  async function readOthers(): Promise<void> {
    const others = await share.readOthers();
    if (others.size === 0) return;
    const known = new Map(network.mirrors().map((mirror) => [mirror.name, mirror]));
    const news = new Map<string, readonly Probe[]>();
    for (const [name, probes] of others) {
      const mirror = visits.underWay(name) ? undefined : known.get(name);
      const newer = probes.filter(({ platform, at }) => (mirror?.probes.get(platform)?.at ?? 0) < at);
      if (mirror !== undefined && newer.length > 0) news.set(name, newer);
    }
    if (news.size === 0) return;
    writer.noteMove();
    network.recordAll(news);
  }

  async function tick(): Promise<void> {
    await readOthers().catch(() => undefined);
    const due = network
      .mirrors()
      .filter((mirror) => !visits.underWay(mirror.name) && share.isDue(mirror.name) && visits.isCrawled(mirror));
    const begun = (await share.claim(byName(due), visits.findIdle)).map(visits.begin);
    firstTurns ??= Promise.all(begun).then(async () => {
      writer.noteMove();
      await writer.write(false).catch(() => undefined);
      isReady = true;
    });
    const withHistory = now() - historyAt >= HISTORY_MS;
    if (withHistory) historyAt = now();
    await writer.write(withHistory).catch((error: unknown) => {
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
    visits.auditor.keep(names);
  }

  return {
    isReady: () => isReady,
    async runNow(names) {
      await readOthers().catch(() => undefined);
      const wanted = network
        .mirrors()
        .filter((mirror) => visits.isCrawled(mirror) && (names?.has(mirror.name) ?? true));
      const due = byName(wanted.filter(({ name }) => !visits.underWay(name)));
      const begun = (await share.claim(due, visits.findIdle, { forced: true })).map(visits.begin);
      await Promise.all([...begun, ...wanted.flatMap(({ name }) => visits.underWay(name) ?? [])]);
      writer.noteMove();
      await writer.write(false).catch((error: unknown) => {
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
          await sleep(tickMs(interval(), random()), undefined, { signal, ref: false }).catch(() => undefined);
        }
      })();
    },
    suspect: visits.auditor.suspect,
    redirected: (mirror, bytes) => journal.redirected(mirror, bytes, databaseTime()),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await loop;
      await Promise.all([visits.idle(), firstTurns]);
      await Promise.race([writer.write(true).catch(() => undefined), sleep(LAST_WORDS_MS, undefined, { ref: false })]);
    },
  };
}

const byName = (mirrors: readonly Mirror[]) => new Map(mirrors.map((mirror) => [mirror.name, mirror]));
