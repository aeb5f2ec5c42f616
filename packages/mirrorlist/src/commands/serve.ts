import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "@nearlayer/shared/config/schema";
import { isNearlayerError } from "@nearlayer/shared/errors";
import { createServerLog, type Logger } from "@nearlayer/shared/log";
import { planReload } from "../reload.ts";
import { keepRequestsYoung, makeRoomForRequests } from "../server/collector.ts";
import { type Listeners, openListeners } from "../server/listeners.ts";
import { type Service, startService } from "../service.ts";

/** How long the process may stay for what does not end by itself, such as a log that nobody reads. */
const MAX_EXIT_MS = 500;

/** Where it is answered: the first is what clients are told. */
export interface Serving {
  readonly url: string;
  readonly http?: string;
  readonly https?: string;
  readonly metrics?: string;
}

export function summarizeServing({ http, https, metrics }: Serving): string {
  const urls = [http, https].filter((url) => url !== undefined).join(" and ");
  return `mirrorlist listens on ${urls}${metrics === undefined ? "" : `, for monitoring on ${metrics}`}`;
}

/**
 * Serves until SIGTERM or SIGINT: `/readyz` says so, then no new connection is taken, what is under way is brought to
 * its end, and everything is closed. A second signal ends at once. SIGHUP reads the configuration again.
 */
export async function serve(load: () => Config, onListening: (serving: Serving) => void): Promise<void> {
  keepRequestsYoung();
  const hangups = countHangups();
  let config = load();
  await serveBy();
  setTimeout(() => process.exit(), MAX_EXIT_MS).unref();

  async function serveBy(): Promise<void> {
    await using server = createServerLog("mirrorlist");
    const { log } = server;
    await using service = await startService(config, log);
    const listeners = await openListeners(config.mirrorlist, service, log, server.dropped);
    const stopped = untilSignal();
    const revision = service.deps.snapshot().revision;
    log.info({ ...listeners.serving, mirrors: config.mirrors.length, revision }, "listening");
    makeRoomForRequests();
    onListening(listeners.serving);
    hangups.handle(async () => {
      config = await reload(load, config, service, listeners, log);
    });
    log.info({ signal: await stopped }, "stopping");
    hangups.handle(async () => undefined);
    service.beginDrain();
    const { drainDelay, drainTimeout } = config.mirrorlist;
    await sleep(drainDelay);
    await listeners.drain(drainTimeout);
    log.info("stopped");
  }
}

/** The configuration that holds from now on. What is wrong with the new one is in the log, and the old one stays. */
async function reload(
  load: () => Config,
  running: Config,
  service: Service,
  listeners: Listeners,
  log: Logger,
): Promise<Config> {
  const { metrics } = service.deps;
  try {
    const { config, kept } = planReload(running, load());
    const apply = await listeners.prepare(config.mirrorlist);
    await service.reload(config);
    apply();
    metrics.reloaded(true);
    if (kept.length > 0) log.warn({ keys: kept }, "these keys have changed, and need a restart");
    log.info({ mirrors: config.mirrors.length }, "the configuration was read again");
    return config;
  } catch (error) {
    metrics.reloaded(false);
    if (!isNearlayerError(error)) log.error({ err: error }, "the configuration could not be read again");
    else log.error({ problems: error.message.split("\n") }, "the new configuration is wrong: the old one stays");
    return running;
  }
}

/** SIGHUPs that come before there is anything to reload are kept; several at once are one. */
function countHangups() {
  let work: (() => Promise<void>) | undefined;
  let isWanted = false;
  let isAtWork = false;
  const run = async () => {
    if (isAtWork || work === undefined) return;
    isAtWork = true;
    while (isWanted) {
      isWanted = false;
      await work();
    }
    isAtWork = false;
  };
  process.on("SIGHUP", () => {
    isWanted = true;
    void run();
  });
  return {
    handle(next: () => Promise<void>): void {
      work = next;
      void run();
    },
  };
}

function untilSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    // Once: the second signal of its kind does what it does by default.
    process.once("SIGTERM", resolve);
    process.once("SIGINT", resolve);
  });
}
