import { openCatalog } from "@nearlayer/shared/catalog/open";
import { isKnownGeneration } from "@nearlayer/shared/catalog/served";
import { failWhenBusy } from "@nearlayer/shared/catalog/variants";
import type { Config } from "@nearlayer/shared/config/schema";
import type { Logger } from "@nearlayer/shared/log";
import { type Crawler, startCrawler } from "./crawl/crawler.ts";
import { PROBE_TIMEOUT_MS } from "./crawl/probe.ts";
import { openMmdbGeo } from "./geo/mmdb.ts";
import type { AppDeps } from "./http/deps.ts";
import { createMirrorAgent } from "./mirrors/agent.ts";
import { createNetwork } from "./mirrors/network.ts";
import { createFailover } from "./pull/failover.ts";
import { createFirstUse } from "./pull/first-use.ts";
import { watchCatalog } from "./served/watch.ts";
import { createVariants } from "./variants/variants.ts";

/** Everything that runs behind the answers. Dispose of it to stop it and close what it holds. */
export interface Service extends AsyncDisposable {
  readonly deps: AppDeps;
}

/** Reads the catalog, opens the databases, and starts to watch and to crawl. */
export async function startService(config: Config, log: Logger): Promise<Service> {
  await using cleanup = new AsyncDisposableStack();
  const now = Date.now;
  const geo = await openMmdbGeo(config.mirrorlist.geoip);
  // Two connections: a snapshot is read in one transaction, and what shares its connection waits for it.
  const catalog = cleanup.use(await openCatalog(config.catalog));
  await failWhenBusy(catalog);
  const watch = cleanup.use(await watchCatalog(cleanup.use(await openCatalog(config.catalog)), config.catalog, log));
  const agent = cleanup.use(createMirrorAgent());
  const network = createNetwork(config.mirrors);
  const means = {
    agent,
    isKnown: (generation: Parameters<typeof isKnownGeneration>[1]) => isKnownGeneration(catalog, generation),
    now,
    timeoutMs: PROBE_TIMEOUT_MS,
  };
  const published = () => watch.current().generations.keys();
  const crawler = cleanup.use(startCrawler(network, published, means, config.crawler.interval, log));
  const deps: AppDeps = {
    config,
    snapshot: watch.current,
    network,
    geo,
    firstUse: createFirstUse(agent, now),
    failover: createFailover(now),
    variants: createVariants(catalog, log),
    notReady: () => notReady(watch.failure(), crawler),
    log,
    now,
  };
  const resources = cleanup.move();
  return { deps, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

function notReady(catalogFailure: string | undefined, crawler: Crawler): string[] {
  return [
    ...(catalogFailure === undefined ? [] : [`the catalog cannot be read: ${catalogFailure}`]),
    ...(crawler.rounds() === 0 ? ["the mirrors have not been probed yet"] : []),
  ];
}
