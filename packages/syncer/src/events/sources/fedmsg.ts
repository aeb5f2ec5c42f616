import { randomUUID } from "node:crypto";
import type { Logger } from "@nearlayer/shared/log";
import type { Journal } from "../journal.ts";
import type { Message } from "../message.ts";
import type { Metrics } from "../metrics.ts";
import { prefixOfTopics } from "../rules/topic.ts";
import type { EventSource } from "../source.ts";

/** Messages that wait for us in memory, for each publisher; what comes beyond that is lost. */
const MAX_WAITING = 200;

/** How long ZeroMQ has to connect again by itself, in milliseconds. */
const RECONNECT_MS = 1_000;

export interface FedmsgOptions {
  readonly endpoints: readonly string[];
  /** Topics as the rules have them. */
  readonly topics: readonly string[];
  readonly maxBody: number;
  readonly journal: Journal;
  readonly metrics: Metrics;
  readonly log: Logger;
}

/**
 * Subscribes to fedmsg publishers: two frames, the topic and JSON (fedmsg's core.py). ZeroMQ knows no
 * acknowledgement: what is sent while we are away is lost, and the audit finds it. A publisher that sends more
 * than `maxBody` at once is disconnected by ZeroMQ, before the message is in memory.
 */
export async function listenToFedmsg(options: FedmsgOptions): Promise<EventSource> {
  const { endpoints, topics, maxBody, journal, metrics, log } = options;
  // A native library, for those alone who want it.
  const { Subscriber } = await import("zeromq");
  const socket = new Subscriber({
    maxMessageSize: maxBody,
    receiveHighWaterMark: MAX_WAITING,
    linger: 0,
    reconnectInterval: 250,
    reconnectMaxInterval: 30_000,
    heartbeatInterval: 30_000,
  });
  const connected = new Set<string>();
  const timers = new Set<NodeJS.Timeout>();
  const note = (address: string, isUp: boolean) => {
    if (isUp) connected.add(address);
    else connected.delete(address);
    metrics.sourceIs("fedmsg", connected.size > 0);
    log.info({ publisher: address, connected: isUp }, "a fedmsg publisher");
  };
  // After what it takes for an offence, a message that is too large among them, ZeroMQ does not connect again by itself.
  const reconnect = (address: string) => {
    if (socket.closed || connected.has(address)) return;
    try {
      socket.disconnect(address);
    } catch {
      // It has been taken away already.
    }
    socket.connect(address);
  };
  metrics.sourceIs("fedmsg", false);
  socket.events.on("handshake", ({ address }) => note(address, true));
  socket.events.on("disconnect", ({ address }) => {
    note(address, false);
    const timer = setTimeout(() => {
      timers.delete(timer);
      reconnect(address);
    }, RECONNECT_MS);
    timers.add(timer);
  });
  for (const topic of new Set(topics.map(prefixOfTopics))) socket.subscribe(topic);
  for (const endpoint of endpoints) socket.connect(endpoint);
  const done = (async () => {
    for await (const frames of socket) {
      const message = messageFrom(frames);
      const taken = message === undefined ? undefined : journal.take(message);
      await taken?.catch((err: unknown) =>
        log.error({ err }, "a fedmsg message was lost: it could not be written down"),
      );
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      for (const timer of timers) clearTimeout(timer);
      socket.close();
      await done;
    },
  };
}

/** Of anything that is not two frames nobody can tell what it is about. */
function messageFrom([topic, body, ...more]: readonly Buffer[]): Message | undefined {
  if (topic === undefined || body === undefined || more.length > 0) return undefined;
  return { source: "fedmsg", key: idOf(body) ?? randomUUID(), topic: topic.toString("utf8"), body };
}

function idOf(body: Buffer): string | undefined {
  try {
    const { msg_id: id } = JSON.parse(body.toString("utf8")) as { msg_id?: unknown };
    return typeof id === "string" && id !== "" ? id : undefined;
  } catch {
    return undefined;
  }
}
