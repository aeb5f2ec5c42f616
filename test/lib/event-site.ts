import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type JournalRow, type Listener, readJournal, startListener } from "./listener.ts";
import { type Network, startNetwork } from "./network.ts";
import { freePort } from "./process/ports.ts";
import { until } from "./process/until.ts";

/** A registry, a mirror that a local publish fills, and a configuration with `events`; nothing of Nearlayer runs yet. */
export interface EventSite extends AsyncDisposable {
  readonly network: Network;
  /** Where `syncer listen` answers. */
  readonly url: string;
  listen(env?: Readonly<Record<string, string>>): Promise<Listener>;
  journal(): JournalRow[];
  /** Waits until no event waits any more, and gives all of them. */
  untilSettled(count: number, within?: number): Promise<JournalRow[]>;
  /** The status that the mirror list answers a tag's manifest with. */
  statusOf(repository: string, tag: string): Promise<number>;
}

export interface EventSiteOptions {
  readonly dir: string;
  /** Keys of `events`, beside `listen`. */
  readonly events: Readonly<Record<string, unknown>>;
  readonly settings?: Readonly<Record<string, unknown>>;
  /** More of the registry's configuration; it gets where the listener is. */
  readonly registryConfig?: (listenerUrl: string) => string;
}

export async function startEventSite({ dir, events, settings, registryConfig }: EventSiteOptions): Promise<EventSite> {
  const address = `127.0.0.1:${await freePort()}`;
  const url = `http://${address}`;
  const tree = join(dir, "local", "tree");
  await mkdir(tree, { recursive: true });
  const network = await startNetwork({
    dir,
    mirrors: [{ name: "local", country: "JP" }],
    registryConfig: registryConfig?.(url) ?? "",
    settings: {
      publish: { targets: [`${tree}/`] },
      // Long enough for a probe within seconds to be one that was asked for.
      crawler: { interval: "30s" },
      events: { listen: address, probe: ["local"], ...events },
      ...settings,
    },
  });
  const journal = () => readJournal(join(dir, "catalog.db"));
  return {
    ...{ network, url, journal },
    listen: (env) => startListener(network.config, url, join(dir, "listener"), env),
    untilSettled: (count, within = 60_000) =>
      until(
        () => {
          const rows = journal();
          return rows.length >= count && rows.every(({ state }) => state !== "waiting") ? rows : undefined;
        },
        { what: `${count} events to be done`, within, every: 50 },
      ),
    async statusOf(repository, tag) {
      const accept = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json";
      const path = `${network.mirrorlistUrl}/v2/${repository}/manifests/${tag}`;
      const response = await fetch(path, { headers: { accept } });
      await response.body?.cancel();
      return response.status;
    },
    [Symbol.asyncDispose]: () => network[Symbol.asyncDispose](),
  };
}

/** A file with a secret. */
export async function secretFile(dir: string, secret: string): Promise<string> {
  const file = join(dir, `secret-${secret.length}`);
  await writeFile(file, `${secret}\n`, { mode: 0o600 });
  return file;
}
