import { isDeepStrictEqual } from "node:util";
import type { Config } from "@nearlayer/shared/config/schema";

/** What a running server keeps as it was started with: each is an address or a place that it holds. */
const FIXED = {
  catalog: (config: Config) => config.catalog,
  root: (config: Config) => config.root,
  "mirrorlist.listen": (config: Config) => config.mirrorlist.listen,
  "mirrorlist.listenTls": (config: Config) => config.mirrorlist.listenTls,
  "mirrorlist.metrics.listen": (config: Config) => config.mirrorlist.metrics.listen,
} as const;

export interface Reloaded {
  /** What can take the place of the running configuration: all of the new one but what is fixed. */
  readonly config: Config;
  /** The keys whose new values need a restart. */
  readonly kept: readonly string[];
}

/** What a new configuration means for a server that runs by another. Pure. */
export function planReload(running: Config, read: Config): Reloaded {
  const kept = Object.entries(FIXED)
    .filter(([, get]) => !isDeepStrictEqual(get(running), get(read)))
    .map(([key]) => key);
  const { listen, listenTls, tls, metrics } = running.mirrorlist;
  const { listenTls: _, tls: newTls, ...rest } = read.mirrorlist;
  const config: Config = {
    ...read,
    catalog: running.catalog,
    root: running.root,
    mirrorlist: {
      ...rest,
      listen,
      metrics,
      ...(listenTls === undefined ? {} : { listenTls }),
      // Other files for the same listener are no other listener.
      ...(tls === undefined ? {} : { tls: newTls ?? tls }),
    },
  };
  return { config, kept };
}
