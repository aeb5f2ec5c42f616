import type { RequestListener } from "node:http";
import { failWhenBusy } from "@nearlayer/shared/catalog/busy";
import { openCatalog, readRevision } from "@nearlayer/shared/catalog/open";
import type { Config } from "@nearlayer/shared/config/schema";
import type { Logger } from "@nearlayer/shared/log";
import { createCrawlAgent, openCrawlCatalog } from "./crawl/catalog.ts";
import { createCrawler } from "./crawl/crawler.ts";
import { knownGenerations } from "./crawl/known.ts";
import { PROBE_TIMEOUT_MS } from "./crawl/probe.ts";
import { reportLooks } from "./crawl/report-looks.ts";
import { watchMmdbGeo } from "./geo/watch.ts";
import { createApp } from "./http/app.ts";
import type { AppDeps, Readiness } from "./http/deps.ts";
import { countLooks } from "./metrics/looks.ts";
import { createMetrics } from "./metrics/metrics.ts";
import { createMirrorAgent } from "./mirrors/agent.ts";
import { followNetwork } from "./mirrors/follow.ts";
import { createCheckAsn } from "./optin/check-asn.ts";
import { createGate } from "./optin/gate.ts";
import { runIntake } from "./optin/intake/run.ts";
import { createOptIns } from "./optin/opt-ins.ts";
import { rulesOf } from "./optin/rules.ts";
import { createFailover } from "./pull/failover.ts";
import { createFirstUse } from "./pull/first-use.ts";
import { createLook } from "./pull/look.ts";
import { createRecords } from "./records/records.ts";
import { createNewest } from "./served/newest.ts";
import { type Watch, watchCatalog } from "./served/watch.ts";
import { boundedVariants } from "./variants/bounded.ts";
import { createVariants } from "./variants/variants.ts";

/** Everything that runs behind the answers. Dispose of it to stop it and close what it holds. */
export interface Service extends AsyncDisposable {
  /** By the newest configuration. */
  readonly deps: AppDeps;
  readonly watch: Watch;
  /** Answers by the newest configuration. */
  readonly answer: RequestListener;
  /**
   * Goes on by another configuration: requests under way end by the one that they began with. Throws when it cannot be
   * had, and nothing has changed then. `catalog` and `root` must be as they were.
   */
  reload(config: Config): Promise<void>;
  /** Says from now on that clients should not be sent here any more. */
  beginDrain(): void;
}

/** For how long a start without an end of the first probes counts as one, in milliseconds. The origin serves. */
const MAX_FIRST_ROUND_MS = 8000;

/** Reads the catalog, opens the databases, and starts to watch and to crawl. */
export async function startService(config: Config, log: Logger): Promise<Service> {
  await using cleanup = new AsyncDisposableStack();
  const now = Date.now;
  const started = now();
  const metrics = createMetrics({ ofProcess: true });
  const geo = cleanup.use(await watchMmdbGeo(config.mirrorlist.geoip, log));
  // Two connections: a snapshot is read in one transaction, and what shares its connection waits for it.
  const catalog = cleanup.use(await openCatalog(config.catalog));
  await failWhenBusy(catalog);
  const watch = cleanup.use(await watchCatalog(cleanup.use(await openCatalog(config.catalog)), config.catalog, log));
  const agent = cleanup.use(createMirrorAgent());
  const following = { onNames: metrics.keepMirrors, isServer: true };
  const followed = cleanup.use(await followNetwork(catalog, config.catalog, config.mirrors, log, following));
  const { network } = followed;
  const running = { config };
  const optIns = createOptIns({
    catalog,
    config: () => running.config,
    checkAsn: createCheckAsn(geo),
    now,
    onChange: followed.refresh,
  });
  const uploads = () => running.config.optin.folder;
  cleanup.use(runIntake(uploads, optIns, () => rulesOf(running.config), log));
  const crawler = cleanup.use(
    createCrawler({
      catalog: cleanup.use(await openCrawlCatalog(config.catalog)),
      network,
      refresh: followed.refresh,
      agent: cleanup.use(createCrawlAgent()),
      root: config.root,
      isKnown: knownGenerations(catalog),
      verifiers: () => running.config.crawler.verifiers,
      settings: () => running.config.crawler,
      newest: () => watch.current().generations,
      needsApproval: () => running.config.optin.policy === "approve",
      now,
      timeoutMs: PROBE_TIMEOUT_MS,
      onProbed: ({ name }, { failure }) => metrics.probed(name, failure?.kind ?? "ok"),
      log,
    }),
  );
  crawler.start();
  let isDraining = false;
  const readiness = () =>
    readinessOf(isDraining, watch.failure(), crawler.isReady() || now() - started > MAX_FIRST_ROUND_MS);
  let deps: AppDeps = {
    config,
    snapshot: watch.current,
    newest: createNewest({
      current: watch.current,
      readRevision: () => readRevision(catalog),
      isReadable: () => watch.failure() === undefined,
      now,
    }),
    network,
    geo,
    firstUse: createFirstUse(reportLooks(countLooks(createLook(agent, config.root), metrics), crawler.suspect), now),
    redirected: crawler.redirected,
    failover: createFailover(now),
    variants: boundedVariants(createVariants(catalog, log)),
    records: createRecords(catalog, now),
    readiness,
    optIns,
    gate: createGate(now),
    metrics,
    log,
    now,
  };
  let answer = createApp(deps).callback();
  const resources = cleanup.move();

  return {
    get deps() {
      return deps;
    },
    watch,
    answer: (request, response) => answer(request, response),
    async reload(next) {
      await geo.replace(next.mirrorlist.geoip);
      const nextDeps = { ...deps, config: next };
      const nextAnswer = createApp(nextDeps).callback();
      const before = running.config;
      running.config = next;
      await followed.declare(next.mirrors);
      if (isOtherSigners(before, next)) network.forgetConditions();
      const round = crawler.runNow();
      // By a shorter interval all that was seen would be too old at once.
      if (next.crawler.interval < before.crawler.interval) await round;
      [deps, answer] = [nextDeps, nextAnswer];
    },
    beginDrain() {
      isDraining = true;
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

function isOtherSigners({ crawler: a }: Config, { crawler: b }: Config): boolean {
  const text = ({ verifiers }: Config["crawler"]) => verifiers.map(({ name, keyHash }) => `${name}+${keyHash}`).join();
  return text(a) !== text(b);
}

function readinessOf(isDraining: boolean, catalogFailure: string | undefined, isProbed: boolean): Readiness {
  const blocking = [
    ...(isDraining ? ["this instance is about to end"] : []),
    ...(isProbed ? [] : ["the mirrors have not been probed yet"]),
  ];
  // What failed is in the log: it may name hosts and users of the operator's.
  const limiting = catalogFailure === undefined ? [] : ["the catalog cannot be read: pulls go on from memory"];
  const state = blocking.length > 0 ? "not ready" : limiting.length > 0 ? "degraded" : "ready";
  return { state, reasons: [...blocking, ...limiting] };
}
