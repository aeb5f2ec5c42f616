import { type Catalog, openCatalog } from "@nearlayer/shared/catalog/open";
import { isKnownGeneration } from "@nearlayer/shared/catalog/served";
import type { Config } from "@nearlayer/shared/config/schema";
import { PROBE_TIMEOUT_MS } from "../crawl/probe.ts";
import { crawlRound } from "../crawl/round.ts";
import { createMirrorAgent } from "../mirrors/agent.ts";
import { createNetwork, type Network } from "../mirrors/network.ts";
import { readSnapshot } from "../served/read.ts";
import { EMPTY_SNAPSHOT, type Snapshot } from "../served/snapshot.ts";

/** The catalog as it is now, and the mirrors as one round of probes has just found them. */
export interface Probed {
  readonly snapshot: Snapshot;
  readonly network: Network;
}

/** What the commands look at that ask the mirrors themselves, beside a server that may run or not. */
export async function probeOnce(config: Config): Promise<Probed> {
  await using catalog: Catalog = await openCatalog(config.catalog);
  await using agent = createMirrorAgent();
  const snapshot = await readSnapshot(catalog, EMPTY_SNAPSHOT);
  const network = createNetwork(config.mirrors);
  await crawlRound(network, snapshot.generations.keys(), {
    agent,
    isKnown: (generation) => isKnownGeneration(catalog, generation),
    now: Date.now,
    timeoutMs: PROBE_TIMEOUT_MS,
  });
  return { snapshot, network };
}
