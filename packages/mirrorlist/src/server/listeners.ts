import type { Config } from "@nearlayer/shared/config/schema";
import { messageOf } from "@nearlayer/shared/errors";
import type { Logger } from "@nearlayer/shared/log";
import type { Serving } from "../commands/serve.ts";
import { createMonitoringApp } from "../http/metrics.ts";
import type { Service } from "../service.ts";
import { type Listener, type ListenerOptions, startListener } from "./listener.ts";
import { type KeyPair, loadKeyPair, type TlsFiles } from "./tls.ts";
import { watchFiles } from "./watch-files.ts";

type Settings = Config["mirrorlist"];

/** Everything that listens: HTTP, TLS and, when it has an address of its own, what watches us. */
export interface Listeners {
  readonly serving: Serving;
  /** Reads what the new settings name, and returns what puts them into force, which cannot fail any more. */
  prepare(settings: Settings): Promise<() => void>;
  drain(timeoutMs: number): Promise<void>;
}

/** Binds all addresses, or throws CONFIG_INVALID and binds none. */
export async function openListeners(
  settings: Settings,
  service: Service,
  log: Logger,
  droppedLogLines: () => number,
): Promise<Listeners> {
  const { deps } = service;
  const open: Partial<Record<"http" | "https" | "metrics", Listener>> = {};
  const all = () => Object.values(open);
  const drain = async (timeoutMs: number) => {
    await Promise.all(all().map((listener) => listener.drain(timeoutMs)));
  };
  const start = (more: Pick<ListenerOptions, "at" | "setting"> & Partial<ListenerOptions>) =>
    startListener({
      limits: settings.limits,
      answer: service.answer,
      onEvicted: deps.metrics.evicted,
      log,
      ...more,
    });
  let pair: KeyPair | undefined;
  try {
    const { listen, listenTls, tls, metrics } = settings;
    if (listen !== "none") open.http = await start({ at: listen, setting: "mirrorlist.listen" });
    if (listenTls !== undefined && tls !== undefined) {
      pair = await loadKeyPair(tls);
      open.https = await start({ at: listenTls, setting: "mirrorlist.listenTls", pair });
    }
    if (metrics.listen !== undefined) {
      const answer = createMonitoringApp(deps).callback();
      open.metrics = await start({ at: metrics.listen, setting: "mirrorlist.metrics.listen", answer });
    }
  } catch (error) {
    await drain(0);
    throw error;
  }
  const use = (next: KeyPair | undefined) => {
    if (next === undefined) return;
    pair = next;
    open.https?.setKeyPair(next);
  };
  let watching = watchTls(settings.tls, use, log);
  deps.metrics.observe({
    snapshot: deps.snapshot,
    mirrors: deps.network.mirrors,
    catalog: service.watch.health,
    connections: () => Object.fromEntries(Object.entries(open).map(([name, each]) => [name, each.connections()])),
    certificateExpiresAt: () => pair?.expiresAt,
    droppedLogLines,
    now: deps.now,
  });
  return {
    serving: servingOf(open),
    async prepare({ tls, limits }) {
      const next = tls === undefined || open.https === undefined ? undefined : await loadKeyPair(tls);
      return () => {
        use(next);
        watching?.[Symbol.dispose]();
        watching = watchTls(tls, use, log);
        for (const listener of all()) listener.setLimits(limits);
      };
    },
    async drain(timeoutMs) {
      watching?.[Symbol.dispose]();
      await drain(timeoutMs);
    },
  };
}

/** Takes another certificate as soon as it stands there whole; until then, the one before stays. */
function watchTls(files: TlsFiles | undefined, use: (pair: KeyPair) => void, log: Logger): Disposable | undefined {
  if (files === undefined) return undefined;
  return watchFiles([files.certificate, files.key], () => {
    loadKeyPair(files).then(
      (pair) => {
        use(pair);
        log.info({ expires: new Date(pair.expiresAt).toISOString() }, "another certificate is used");
      },
      (error) =>
        log.error({ problem: messageOf(error) }, "the certificate has changed and cannot be used: the old one stays"),
    );
  });
}

function servingOf(open: Partial<Record<"http" | "https" | "metrics", Listener>>): Serving {
  const urls = Object.fromEntries(Object.entries(open).map(([name, { url }]) => [name, url]));
  return { url: open.http?.url ?? open.https?.url ?? "", ...urls };
}
