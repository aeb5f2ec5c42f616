import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { AmqpConfig } from "@nearlayer/shared/config/events";
import { messageOf } from "@nearlayer/shared/errors";
import type { Logger } from "@nearlayer/shared/log";
import type { Channel, ConsumeMessage } from "amqplib";
import type { Journal } from "../journal.ts";
import type { Message } from "../message.ts";
import type { Metrics } from "../metrics.ts";
import { waitAfter } from "../plan/backoff.ts";
import type { EventSource } from "../source.ts";
import { boundBodies } from "./amqp-bodies.ts";
import type { Broker } from "./amqp-connect.ts";

/** How often a broker that is away is tried, in milliseconds. */
const RECONNECT = { first: 250, longest: 30_000 };

/** A session that lasted so long was a good one: the next failure counts as the first. */
const GOOD_SESSION_MS = 30_000;

export interface AmqpOptions {
  readonly config: AmqpConfig;
  readonly broker: Broker;
  /** What the queue is bound to. */
  readonly bindings: readonly string[];
  readonly maxBody: number;
  readonly journal: Journal;
  readonly metrics: Metrics;
  readonly log: Logger;
}

/**
 * Takes messages in fedora-messaging's form off a queue (its docs/wire-format.rst): each is acknowledged once it is in the
 * journal. A broker that goes away, a queue that is deleted and a channel that is closed all lead to a new connection,
 * which declares everything again.
 */
export function listenToAmqp(options: AmqpOptions): EventSource {
  const { metrics, log } = options;
  const stop = new AbortController();
  const done = (async () => {
    for (let attempt = 1; !stop.signal.aborted; attempt += 1) {
      const started = Date.now();
      try {
        await runSession(options, stop.signal);
      } catch (error) {
        if (!stop.signal.aborted) log.warn({ reason: messageOf(error), attempt }, "the broker was lost");
      }
      metrics.sourceIs("amqp", false);
      if (Date.now() - started > GOOD_SESSION_MS) attempt = 1;
      await sleep(waitAfter(attempt, RECONNECT, Math.random()), undefined, { signal: stop.signal }).catch(
        () => undefined,
      );
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await done;
    },
  };
}

/** From a connection to its end. Rejects when that was not of our doing. */
async function runSession(options: AmqpOptions, signal: AbortSignal): Promise<void> {
  const { broker, journal, maxBody, metrics, log } = options;
  const connection = await broker.connect();
  const ended = Promise.withResolvers<never>();
  ended.promise.catch(() => undefined);
  const end = (error: Error) => ended.reject(error);
  connection.on("error", end).on("close", () => end(new Error("the connection was closed")));
  try {
    if (signal.aborted) return;
    const channel = await connection.createChannel();
    channel.on("error", end).on("close", () => end(new Error("the channel was closed")));
    const bodies = boundBodies(channel, maxBody);
    const underWay = new Set<Promise<void>>();
    const onMessage = (delivery: ConsumeMessage | null) => {
      if (delivery === null) return end(new Error("the queue was deleted"));
      const taken = journal
        .take(messageFrom(delivery, bodies.sizeOfDropped(delivery.fields.deliveryTag)))
        .then(() => channel.ack(delivery))
        .catch((error: unknown) => end(new Error(`not written down: ${messageOf(error)}`, { cause: error })))
        .finally(() => underWay.delete(taken));
      underWay.add(taken);
    };
    const consumerTag = await consume(channel, options, onMessage);
    metrics.sourceIs("amqp", true);
    log.info({ queue: options.config.queue }, "the broker sends messages");
    await Promise.race([ended.promise, once(signal, "abort")]);
    // What has been sent already is written down and acknowledged before the end.
    await channel.cancel(consumerTag);
    await Promise.all(underWay);
    await channel.close();
  } finally {
    await connection.close().catch(() => undefined);
  }
}

async function consume(
  channel: Channel,
  { config, bindings }: AmqpOptions,
  onMessage: (delivery: ConsumeMessage | null) => void,
): Promise<string> {
  const { queue, exchange, durable, autoDelete, exclusive, prefetch } = config;
  if (config.declare) {
    await channel.assertQueue(queue, { durable, autoDelete, exclusive, arguments: config.arguments });
    for (const binding of bindings) await channel.bindQueue(queue, exchange, binding);
  }
  await channel.prefetch(prefetch);
  return (await channel.consume(queue, onMessage)).consumerTag;
}

function messageFrom({ fields, properties, content }: ConsumeMessage, dropped: number | undefined): Message {
  const schema: unknown = properties.headers?.fedora_messaging_schema;
  const key: unknown = properties.messageId;
  return {
    source: "amqp",
    // One without an id cannot be told from a second one; to sync once more than needed does no harm.
    key: typeof key === "string" && key !== "" ? key : randomUUID(),
    topic: fields.routingKey,
    ...(typeof schema === "string" ? { schema } : {}),
    body: dropped === undefined ? content : { tooLarge: dropped },
  };
}
