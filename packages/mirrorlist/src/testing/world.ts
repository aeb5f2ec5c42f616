import { failWhenBusy } from "@nearlayer/shared/catalog/busy";
import { readMirrors } from "@nearlayer/shared/catalog/mirrors";
import { openCatalog } from "@nearlayer/shared/catalog/open";
import { isKnownGeneration } from "@nearlayer/shared/catalog/served";
import { type Config, configSchema } from "@nearlayer/shared/config/schema";
import { createLogger } from "@nearlayer/shared/log";
import { crawlRound } from "../crawl/round.ts";
import { staticGeo } from "../geo/static.ts";
import { createApp } from "../http/app.ts";
import { createMetrics } from "../metrics/metrics.ts";
import { createMirrorAgent } from "../mirrors/agent.ts";
import { createNetwork, type Network } from "../mirrors/network.ts";
import { createCheckAsn } from "../optin/check-asn.ts";
import { createGate } from "../optin/gate.ts";
import { createOptIns, type OptIns } from "../optin/opt-ins.ts";
import { createFailover } from "../pull/failover.ts";
import { createFirstUse } from "../pull/first-use.ts";
import { createLook } from "../pull/look.ts";
import { createRecords } from "../records/records.ts";
import { readSnapshot } from "../served/read.ts";
import { EMPTY_SNAPSHOT } from "../served/snapshot.ts";
import { createVariants } from "../variants/variants.ts";
import { listen, send, startMirror, type TestMirror, type TestResponse } from "./http.ts";
import { NOW } from "./mirrors.ts";
import { createTree, type Tree } from "./tree.ts";

export const JAPAN = "203.0.113.7";
export const GERMANY = "198.51.100.7";
const GEO = staticGeo({ "203.0.113.0/24": { country: "JP" }, "198.51.100.0/24": { country: "DE" } });

/** A mirror list over a real tree, catalog and mirrors. The tests hold its clock. */
export interface World extends AsyncDisposable {
  readonly tree: Tree;
  readonly mirrors: Readonly<Record<string, TestMirror>>;
  readonly network: Network;
  readonly optIns: OptIns;
  clock: number;
  /** What happens while a request waits for something newer than the snapshot; nothing, unless a test wants it. */
  onMiss: () => Promise<void>;
  /** Reads the catalog and probes the mirrors. */
  refresh(): Promise<void>;
  get(path: string, headers?: Record<string, string>, method?: string, body?: string | Buffer): Promise<TestResponse>;
  /** The catalog is out of reach from now on. */
  loseCatalog(): Promise<void>;
  /** What a restart leaves: the catalog and nothing else. */
  restart(): Promise<void>;
}

/** `mirrors` are declared by name with what else is said of them; each is a server of its own. */
export async function createWorld(
  mirrors: Readonly<Record<string, Record<string, unknown>>>,
  mirrorlist: Record<string, unknown> = {},
  optin: Record<string, unknown> = {},
): Promise<World> {
  await using cleanup = new AsyncDisposableStack();
  const tree = cleanup.use(await createTree());
  const servers: Record<string, TestMirror> = {};
  for (const name of Object.keys(mirrors)) servers[name] = cleanup.use(await startMirror(tree.root));
  const config = configSchema.parse({
    root: tree.root,
    mirrorlist: { trustedProxies: ["127.0.0.0/8"], ...mirrorlist },
    optin,
    mirrors: Object.entries(mirrors).map(([name, more]) => ({
      name,
      url: servers[name]?.url,
      allowPrivateAddress: true,
      ...more,
    })),
  });
  // As in service.ts: a connection of its own, which does not wait for other writers.
  const catalog = cleanup.use(await openCatalog(tree.location));
  await failWhenBusy(catalog);
  const agent = cleanup.use(createMirrorAgent());
  const network = createNetwork(config.mirrors);
  const optIns = createOptIns({
    catalog,
    config: () => config,
    checkAsn: createCheckAsn(GEO),
    now: () => world.clock,
    onChange: async () => network.follow(await readMirrors(catalog)),
  });
  let snapshot = EMPTY_SNAPSHOT;
  let answer = createAnswer();
  const server = cleanup.use(await listen((incoming, response) => answer(incoming, response)));
  const resources = cleanup.move();

  function createAnswer() {
    const log = createLogger("test", "silent");
    const now = () => world.clock;
    return createApp({
      config: config as Config,
      snapshot: () => snapshot,
      network,
      geo: GEO,
      firstUse: createFirstUse(createLook(agent, tree.root, 300), now),
      failover: createFailover(now),
      variants: createVariants(catalog, log),
      records: createRecords(catalog, now),
      newest: async () => {
        await world.onMiss();
        return snapshot;
      },
      readiness: () => ({ state: "ready", reasons: [] }),
      optIns,
      gate: createGate(now),
      metrics: createMetrics(),
      log,
      now,
    }).callback();
  }

  const world: World = {
    tree,
    mirrors: servers,
    network,
    optIns,
    clock: NOW,
    onMiss: async () => undefined,
    async refresh() {
      snapshot = await readSnapshot(tree.catalog, snapshot);
      await crawlRound(network, snapshot.generations.keys(), {
        agent,
        isKnown: (generation) => isKnownGeneration(tree.catalog, generation),
        now: () => world.clock,
        timeoutMs: 500,
      });
    },
    get: (path, headers = {}, method = "GET", body = undefined) =>
      send(server.port, path, { "x-forwarded-for": JAPAN, ...headers }, method, body),
    loseCatalog: () => catalog.destroy(),
    async restart() {
      snapshot = await readSnapshot(tree.catalog, EMPTY_SNAPSHOT);
      answer = createAnswer();
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
  return world;
}
