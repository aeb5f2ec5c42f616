import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import { startMirrorlist, syncer } from "./nearlayer.ts";
import { addressIn, startEdge } from "./peers/edge.ts";
import { type Mirror, startMirror } from "./peers/mirror.ts";
import type { Nginx } from "./peers/nginx.ts";
import { type Registry, startRegistry } from "./peers/registry.ts";
import { type RsyncDaemon, startRsyncDaemon } from "./peers/rsyncd.ts";
import type { Daemon } from "./process/daemon.ts";
import { freePort } from "./process/ports.ts";
import type { RunResult } from "./process/run.ts";
import { until } from "./process/until.ts";

/** A country that clients and mirrors of a test can be in. */
export type Country = keyof typeof addressIn;

export interface NetworkMirror {
  readonly name: string;
  readonly country: Country;
  /** More directives for its web server. */
  readonly server?: readonly string[];
  /** More keys of its entry in the configuration. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

export interface NetworkOptions {
  readonly dir: string;
  readonly mirrors: readonly NetworkMirror[];
  /** Where clients are; the countries of the mirrors by default. */
  readonly countries?: readonly Country[];
  /** More top-level keys of the registry's configuration, as YAML. */
  readonly registryConfig?: string;
  /** Top-level keys of nearlayer.yaml that replace or join those written here; keys of `source` join the registry's URL. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

/** Everything from the stable registry to the clients' countries, on real servers of 127.0.0.1. */
export interface Network extends AsyncDisposable {
  readonly registry: Registry;
  readonly master: RsyncDaemon;
  /** The folder behind the master's module. */
  readonly masterRoot: string;
  readonly mirrors: ReadonlyMap<string, Mirror>;
  /** Whoever pulls from the edge of a country comes from there. */
  readonly edges: ReadonlyMap<Country, Nginx>;
  /** nearlayer.yaml */
  readonly config: string;
  /** The root of the configuration: store/ and pub/. */
  readonly root: string;
  /** `http://127.0.0.1:PORT` of the mirror list. */
  readonly mirrorlistUrl: string;
  sync(...args: readonly string[]): Promise<RunResult>;
  publish(...args: readonly string[]): Promise<RunResult>;
  /** Every mirror pulls from the master, by plain rsync. */
  pullMirrors(): Promise<void>;
  /** Starts the mirror list; it ends with the network. */
  serve(): Promise<Daemon>;
  /** Waits until the mirror list has seen that every mirror shows the newest generations. */
  untilFresh(): Promise<void>;
}

/** Starts all that is not Nearlayer itself, and writes the configuration. Nothing is synced or served yet. */
export async function startNetwork(options: NetworkOptions): Promise<Network> {
  await using starting = new AsyncDisposableStack();
  const folder = async (...names: string[]) => {
    const path = join(options.dir, ...names);
    await mkdir(path, { recursive: true });
    return path;
  };
  const registry = starting.use(
    await startRegistry({ dir: await folder("registry"), config: options.registryConfig ?? "" }),
  );
  const masterRoot = await folder("master", "containers");
  const modules = [{ name: "containers", path: masterRoot, readOnly: false }];
  const master = starting.use(await startRsyncDaemon({ dir: await folder("master"), modules }));
  const mirrors = new Map<string, Mirror>();
  for (const { name, server = [] } of options.mirrors) {
    mirrors.set(name, starting.use(await startMirror({ name, dir: await folder(name), server })));
  }
  const mirrorlistUrl = `http://127.0.0.1:${await freePort()}`;
  const edges = new Map<Country, Nginx>();
  for (const country of new Set(options.countries ?? options.mirrors.map((mirror) => mirror.country))) {
    const [name, clientAddress] = [`edge-${country}`, addressIn[country]];
    edges.set(
      country,
      starting.use(await startEdge({ name, dir: await folder(name), backend: mirrorlistUrl, clientAddress })),
    );
  }
  const [config, root] = [join(options.dir, "nearlayer.yaml"), join(options.dir, "root")];
  const settings = {
    catalog: join(options.dir, "catalog.db"),
    root,
    publish: { targets: [`${master.url}containers/`] },
    mirrorlist: { listen: new URL(mirrorlistUrl).host },
    mirrors: options.mirrors.map((mirror) => ({
      name: mirror.name,
      url: mirrors.get(mirror.name)?.url,
      country: mirror.country,
      bandwidth: 1000,
      platforms: ["linux-amd64", "linux-arm64"],
      allowPrivateAddress: true,
      ...mirror.settings,
    })),
    ...options.settings,
    source: { url: registry.url, ...(options.settings?.source as object | undefined) },
  };
  await writeFile(config, stringify(settings));
  const stack = starting.move();
  return {
    ...{ registry, master, masterRoot, mirrors, edges, config, root, mirrorlistUrl },
    sync: (...args) => syncer(config, ["sync", ...args]),
    publish: (...args) => syncer(config, ["publish", ...args]),
    async pullMirrors() {
      await Promise.all([...mirrors.values()].map((mirror) => mirror.pull(`${master.url}containers/`)));
    },
    serve: async () => stack.use(await startMirrorlist(config, mirrorlistUrl, join(options.dir, "mirrorlist"))),
    async untilFresh() {
      const check = async () => areFresh(await mirrorStates(mirrorlistUrl), options.mirrors.length);
      await until(check, { what: "every mirror to be fresh", within: 20_000, every: 100 });
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** What the mirror list thinks of every platform of every mirror. */
async function mirrorStates(url: string): Promise<string[][]> {
  const response = await fetch(`${url}/mirrors.json`);
  const { mirrors } = (await response.json()) as { mirrors: { platforms: { state: string }[] }[] };
  return mirrors.map(({ platforms }) => platforms.map(({ state }) => state));
}

function areFresh(mirrors: readonly (readonly string[])[], count: number): boolean {
  return mirrors.length === count && mirrors.every((states) => states.length > 0 && states.every((s) => s === "fresh"));
}
