import { latestGenerations } from "@nearlayer/shared/catalog/generations";
import type { AppliedTransition } from "@nearlayer/shared/catalog/mirror-states";
import type { Catalog } from "@nearlayer/shared/catalog/open";
import type { Config } from "@nearlayer/shared/config/schema";
import { createLogger } from "@nearlayer/shared/log";
import type { Platform } from "@nearlayer/shared/platform";
import { createCrawlAgent, openCrawlCatalog } from "../crawl/catalog.ts";
import { type Crawler, createCrawler } from "../crawl/crawler.ts";
import { knownGenerations } from "../crawl/known.ts";
import { PROBE_TIMEOUT_MS } from "../crawl/probe.ts";
import { followNetwork } from "../mirrors/follow.ts";
import type { Network } from "../mirrors/network.ts";
import { maxProbeAge } from "../mirrors/probe.ts";

/** The network as a command sees it, beside a server that may run or not. */
export interface CrawledNetwork extends AsyncDisposable {
  readonly catalog: Catalog;
  readonly network: Network;
  readonly crawler: Crawler;
  /** The newest generation of each platform, as it was last read. */
  newest(): ReadonlyMap<Platform, number>;
  /** Reads what has been published since. */
  refresh(): Promise<void>;
}

/** Opens the network and a crawler that does nothing yet by itself. */
export async function openNetwork(
  config: Config,
  onChange: (change: AppliedTransition) => void = () => undefined,
): Promise<CrawledNetwork> {
  await using cleanup = new AsyncDisposableStack();
  // What these commands show is their result, and not a log.
  const log = createLogger("mirrorlist", process.env.NEARLAYER_LOG ?? "silent");
  const catalog = cleanup.use(await openCrawlCatalog(config.catalog));
  const agent = cleanup.use(createCrawlAgent());
  const { network, refresh: refreshNetwork } = cleanup.use(
    await followNetwork(catalog, config.catalog, config.mirrors, log),
  );
  let newest: ReadonlyMap<Platform, number> = new Map();
  const refresh = async () => {
    newest = new Map((await latestGenerations(catalog)).map(({ platform, number }) => [platform, number]));
  };
  await refresh();
  const crawler = cleanup.use(
    createCrawler({
      ...{ catalog, network, agent, log, onChange, root: config.root, timeoutMs: PROBE_TIMEOUT_MS, now: Date.now },
      refresh: refreshNetwork,
      isKnown: knownGenerations(catalog),
      verifiers: () => config.crawler.verifiers,
      settings: () => config.crawler,
      newest: () => newest,
      needsApproval: () => config.optin.policy === "approve",
    }),
  );
  const resources = cleanup.move();
  return {
    catalog,
    network,
    crawler,
    newest: () => newest,
    refresh,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** Asks the mirrors of which nobody has written down lately how they are. */
export async function askForgotten(
  { network, crawler }: CrawledNetwork,
  { crawler: { interval } }: Config,
): Promise<void> {
  await crawler.runNow(new Set());
  const oldest = Date.now() - maxProbeAge(interval);
  const forgotten = network.mirrors().filter(({ probes }) => ![...probes.values()].some(({ at }) => at >= oldest));
  if (forgotten.length > 0) await crawler.runNow(new Set(forgotten.map(({ name }) => name)));
}
