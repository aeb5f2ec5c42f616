import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { whenFree } from "@nearlayer/shared/catalog/busy";
import {
  dueNotices,
  type Notice,
  pruneNotices,
  readPropagated,
  recordNotices,
  settleNotice,
} from "@nearlayer/shared/catalog/notices";
import type { Catalog } from "@nearlayer/shared/catalog/open";
import type { EventsConfig } from "@nearlayer/shared/config/events";
import { messageOf } from "@nearlayer/shared/errors";
import type { Logger } from "@nearlayer/shared/log";
import type { Metrics } from "../metrics.ts";
import { waitAfter } from "../plan/backoff.ts";
import { readSecret } from "../secret.ts";
import type { Broker } from "../sources/amqp-connect.ts";
import { clean } from "../text.ts";
import { createBus } from "./bus.ts";
import { AMQP, destinationsOf, propagatedNotice } from "./notice.ts";
import { postNotice } from "./webhook.ts";

/** How often it is looked whether there is something to tell, in milliseconds. */
const POLL_MS = 500;

export interface NotifierOptions {
  readonly config: EventsConfig;
  readonly catalog: Catalog;
  readonly broker: Broker | undefined;
  readonly metrics: Metrics;
  readonly log: Logger;
}

/**
 * Tells others what is written down for them, in order, until they have taken it or it was tried too often; and writes
 * down which generations have come to so many of the mirrors, as the crawler sees it. Throws CONFIG_INVALID at once where a
 * secret cannot be had.
 */
export function startNotifier({ config, catalog, broker, metrics, log }: NotifierOptions): AsyncDisposable {
  const destinations = destinationsOf(config.notify);
  if (destinations.length === 0) return { [Symbol.asyncDispose]: async () => undefined };
  const exchange = config.notify.amqp?.exchange ?? config.amqp?.exchange ?? "amq.topic";
  const bus = broker === undefined ? undefined : createBus(broker, exchange);
  const hooks = config.notify.webhooks.map(({ url, secretFile, signatureHeader }) => ({
    ...{ url, signatureHeader },
    secret: readSecret(`events.notify.webhooks ${url}: secretFile`, secretFile),
  }));
  const send = async (notice: Notice): Promise<void> => {
    const id = uuidOf(notice);
    if (notice.destination === AMQP && bus !== undefined) return bus.send(notice, id);
    const hook = hooks.find(({ url }) => url === notice.destination);
    if (hook !== undefined) return postNotice(hook, notice, id);
    throw new Error("the configuration no longer has this destination");
  };
  const tell = async (notice: Notice) => {
    try {
      await send(notice);
      metrics.noticed("ok");
      await whenFree(() => settleNotice(catalog, notice, { finishedAt: new Date() }));
    } catch (error) {
      const reason = clean(messageOf(error), 500);
      const attempt = notice.attempts + 1;
      const isLast = attempt >= config.retry.attempts;
      metrics.noticed(isLast ? "given up" : "failed");
      log.warn({ destination: notice.destination, notice: notice.key, reason, attempt, isLast }, "not told");
      const wait = waitAfter(attempt, config.retry, Math.random());
      const outcome = isLast ? { finishedAt: new Date(), reason } : { notBefore: new Date(Date.now() + wait), reason };
      await whenFree(() => settleNotice(catalog, notice, outcome));
    }
  };
  const look = async () => {
    const since = new Date(Date.now() - config.keep);
    const propagated = await readPropagated(catalog, config.notify.percent, since);
    const notices = propagated.map((one) => propagatedNotice(one, config.notify));
    await whenFree(() => recordNotices(catalog, notices, destinations, new Date()));
    // A receiver that hangs holds up its own alone.
    const due = Map.groupBy(await dueNotices(catalog, new Date(), 100), ({ destination }) => destination);
    await Promise.all(
      [...due.values()].map(async (own) => {
        for (const notice of own) await tell(notice);
      }),
    );
    // Twice as long as a generation is read for, so that none is told anew.
    await whenFree(() => pruneNotices(catalog, new Date(Date.now() - 2 * config.keep)));
  };
  const stop = new AbortController();
  const done = (async () => {
    while (!stop.signal.aborted) {
      await look().catch((err: unknown) => log.error({ err }, "notices could not be read"));
      await sleep(POLL_MS, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await done;
      await bus?.[Symbol.asyncDispose]();
    },
  };
}

/** The same notice has the same id however often it is sent: an UUID of version 8 (RFC 9562, section 5.8). */
function uuidOf({ key, destination, createdAt }: Notice): string {
  const hex = createHash("sha256").update(`${key}\n${destination}\n${createdAt}`).digest("hex");
  const variant = ((Number.parseInt(hex[16] ?? "0", 16) & 3) | 8).toString(16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join("-");
}
