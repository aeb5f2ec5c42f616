import { failWhenBusy } from "@nearlayer/shared/catalog/busy";
import { countEvents } from "@nearlayer/shared/catalog/events";
import { openCatalog } from "@nearlayer/shared/catalog/open";
import type { Config } from "@nearlayer/shared/config/schema";
import { NearlayerError } from "@nearlayer/shared/errors";
import type { Logger } from "@nearlayer/shared/log";
import { requireSource } from "../commands/source.ts";
import { SILENT } from "../progress/progress.ts";
import { createFilters } from "../source/filters.ts";
import { createApp } from "./http/app.ts";
import { createHooks } from "./http/hooks.ts";
import { startHttp } from "./http/server.ts";
import { createJournal } from "./journal.ts";
import { createMetrics } from "./metrics.ts";
import { startNotifier } from "./notify/notifier.ts";
import { completeRules } from "./rules/presets.ts";
import { listenToAmqp } from "./sources/amqp.ts";
import { openBroker } from "./sources/amqp-connect.ts";
import { listenToFedmsg } from "./sources/fedmsg.ts";
import { createWork } from "./work.ts";
import { createWorker } from "./worker.ts";

/** Where events are taken from. */
export interface Listening {
  readonly url?: string;
  readonly sources: readonly string[];
}

/**
 * Takes events from all sources of the configuration, and syncs and publishes by them, until the signal is aborted: then
 * no more is taken, what was taken is written down and acknowledged, a sync under way stops where it is, and everything is
 * closed. Throws CONFIG_INVALID before anything is taken where something is wrong with the configuration.
 */
export async function listen(
  config: Config,
  signal: AbortSignal,
  log: Logger,
  onListening: (listening: Listening) => void,
): Promise<void> {
  const { events } = config;
  const filters = createFilters(requireSource(config));
  const rules = completeRules(events.rules);
  if (events.listen === "none" && (events.registry !== undefined || events.webhooks.length > 0)) {
    throw new NearlayerError("CONFIG_INVALID", "events.listen is none, and there are webhooks", {
      hint: "give events.listen an address, such as 127.0.0.1:5010",
    });
  }
  await using stack = new AsyncDisposableStack();
  const broker = events.amqp === undefined ? undefined : openBroker(events.amqp);
  const metrics = createMetrics();
  const catalog = await openCatalog(config.catalog);
  stack.defer(() => catalog.destroy());
  await failWhenBusy(catalog);
  metrics.observe(() => countEvents(catalog), Date.now);
  const work = createWork({ config, catalog, metrics, log, run: { signal, progress: SILENT } });
  const worker = createWorker({ config: events, catalog, work, metrics, log, signal });
  const journal = createJournal({
    ...{ catalog, rules, metrics, log },
    isWanted: filters.repository,
    onRecorded: worker.noteArrivals,
  });
  stack.use(startNotifier({ config: events, catalog, broker, metrics, log }));
  const hooks = createHooks(events, journal);
  const source = { maxBody: events.maxBody, journal, metrics, log };
  const app = createApp({ hooks, maxBody: events.maxBody, counts: () => countEvents(catalog), metrics, log });
  const http = events.listen === "none" ? undefined : stack.use(await startHttp(app.callback(), events.listen));
  if (events.fedmsg !== undefined) {
    const topics = rules.map(({ topic }) => topic);
    stack.use(await listenToFedmsg({ ...source, endpoints: events.fedmsg.endpoints, topics }));
  }
  if (events.amqp !== undefined && broker !== undefined) {
    const bindings = events.amqp.bindings ?? [...new Set(rules.map(({ topic }) => topic))];
    metrics.sourceIs("amqp", false);
    stack.use(listenToAmqp({ ...source, config: events.amqp, broker, bindings }));
  }
  const sources = [
    ...hooks.keys(),
    ...(events.amqp === undefined ? [] : ["amqp"]),
    ...(events.fedmsg === undefined ? [] : ["fedmsg"]),
  ];
  const listening: Listening = { ...(http === undefined ? {} : { url: http.url }), sources };
  log.info({ ...listening, rules: rules.length }, "listening");
  onListening(listening);
  await worker.run();
  log.info("stopping");
}
