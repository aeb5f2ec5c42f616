import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { tryLock } from "@nearlayer/syncer/store/kernel-lock";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openPublisher, type Publisher } from "../lib/bus.ts";
import { type EventSite, startEventSite } from "../lib/event-site.ts";
import { pushImage } from "../lib/images/push.ts";
import { randomImages } from "../lib/images/samples.ts";
import type { Listener } from "../lib/listener.ts";
import { type RabbitMq, startRabbitMq } from "../lib/peers/rabbitmq.ts";
import { type TemporaryFolder, temporaryFolder } from "../lib/process/folder.ts";
import { until } from "../lib/process/until.ts";
import { skipUnless, whyNot } from "../lib/requirements.ts";
import { publishedBlobs } from "../lib/site.ts";

const NEEDS = ["registry", "nginx", "rsync", "rabbitmq"] as const;
const TOPIC = "org.example.image.pushed";
const REPOSITORIES = 10;
const EVENTS = 200;

/** The most memory that a process has had, in MB. */
const peakOf = (pid: number) =>
  Math.round(Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024);

/** A real RabbitMQ, registry and mirror list. */
describe("events from RabbitMQ", () => {
  let folder: TemporaryFolder;
  let site: EventSite;
  let bus: RabbitMq;
  let listener: Listener;
  const blobs: string[] = [];

  beforeAll(async () => {
    folder = await temporaryFolder("amqp");
    for (const name of NEEDS) if (await whyNot(name)) return;
    bus = await startRabbitMq({ dir: await folder.at("rabbitmq") });
    site = await startEventSite({
      dir: folder.path,
      events: {
        maxBody: 65_536,
        amqp: { url: bus.url, heartbeat: "5s" },
        audit: "never",
        rules: [{ topic: TOPIC, schema: "image-v1", repository: "{/repository}", tag: "{/tag}" }],
      },
    });
    let index = 0;
    for await (const image of randomImages({ seed: "amqp", count: REPOSITORIES, layers: 1, layerSize: 20_000 })) {
      await pushImage(site.network.registry.url, `fedora/r${index++}`, "1", image);
      blobs.push(...publishedBlobs(image));
    }
    listener = await site.listen();
    await untilConnected();
  });

  afterAll(async () => {
    await listener?.stop();
    await site?.[Symbol.asyncDispose]();
    await bus?.[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  const untilConnected = () =>
    until(async () => (await listener.metrics())['nearlayer_event_source_up{source="amqp"}'] === 1, {
      what: "the listener to be at the broker",
      within: 60_000,
    });
  const publish = (publisher: Publisher, body: unknown, options: { id?: string; schema?: string } = {}) =>
    publisher.publish(TOPIC, body, { schema: "image-v1", ...options });

  test("a message in fedora-messaging's form brings its image into the tree, and to who pulls", async (context) => {
    await skipUnless(context, ...NEEDS);
    await using _mirrorlist = await site.network.serve();
    await using publisher = await openPublisher(bus.url);
    await publish(publisher, { repository: "fedora/r0", tag: "1" });
    await until(async () => (await site.statusOf("fedora/r0", "1")) === 200, { what: "the image to be served" });
    expect(await site.untilSettled(1)).toMatchObject([{ source: "amqp", repository: "fedora/r0", state: "done" }]);
    expect(await queueLength()).toBe(0);
  });

  test("what cannot be read is parked, what nobody asked for ignored, and neither holds up the next", async (context) => {
    await skipUnless(context, ...NEEDS);
    await using publisher = await openPublisher(bus.url);
    const before = site.journal().length;
    await publish(publisher, Buffer.from("{ no JSON"));
    await publish(publisher, { repository: "fedora/r0", tag: "1" }, { schema: "image-v2" });
    await publish(publisher, { repository: "fedora/R0/../..", tag: "1" });
    await publisher.channel.bindQueue("nearlayer", "amq.topic", "unknown.#");
    await publisher.publish("unknown.topic", { repository: "fedora/r0", tag: "1" });
    const before50 = peakOf(listener.pid);
    await publish(publisher, Buffer.alloc(50_000_000, "a"));
    await publish(publisher, { repository: "fedora/r0", tag: "1" }, { id: "after-all-that" });
    const rows = (await site.untilSettled(before + 5)).slice(before);
    expect(rows.map(({ state, reason }) => [state, reason])).toEqual([
      ["parked", expect.stringContaining("not JSON")],
      ["parked", expect.stringContaining("the schema is image-v2")],
      ["parked", expect.stringContaining("not a repository name")],
      ["parked", "the message has 50000000 bytes, more than events.maxBody"],
      ["done", null],
    ]);
    const metrics = await listener.metrics();
    expect(metrics['nearlayer_events_received_total{source="amqp",outcome="ignored"}']).toBe(1);
    console.log(
      `peak memory of the listener: ${before50} MB before the 50 MB message, ${peakOf(listener.pid)} MB after it`,
    );
    expect(await queueLength()).toBe(0);
  });

  test("a listener that is killed between journal and sync loses nothing, and syncs once for all", async (context) => {
    await skipUnless(context, ...NEEDS);
    const before = site.journal().length;
    const lock = await tryLock(join(site.network.root, "store", "lock"));
    if (lock === undefined) throw new Error("the store is in use");
    try {
      await using publisher = await openPublisher(bus.url);
      const ids = Array.from({ length: EVENTS }, () => randomUUID());
      const send = (from: number, to: number) =>
        Promise.all(
          ids
            .slice(from, to)
            .map((id, index) => publish(publisher, { repository: repositoryOf(from + index), tag: "1" }, { id })),
        );
      await send(0, EVENTS / 2);
      await until(() => waiting() > 0, { what: "events to be written down" });
      listener.kill("SIGKILL");
      await listener.stop();
      await send(EVENTS / 2, EVENTS);
      listener = await site.listen();
      await until(() => site.journal().length === before + EVENTS, { what: "all to be written down", within: 30_000 });
      expect(waiting()).toBe(EVENTS);
      const isHeldUp = async () => (await listener.log()).some(({ msg }) => msg === "waiting for the store");
      await until(isHeldUp, { what: "the listener to wait for the store" });
    } finally {
      await lock[Symbol.asyncDispose]();
    }
    const rows = (await site.untilSettled(before + EVENTS)).slice(before);
    expect(rows.every(({ state, attempts }) => state === "done" && attempts === 0)).toBe(true);
    const metrics = await listener.metrics();
    expect(metrics.nearlayer_synced_repositories_total).toBeLessThanOrEqual(REPOSITORIES * 2);
    expect(await queueLength()).toBe(0);
  });

  test("a broker that is killed in mid-stream loses nothing that it confirmed", async (context) => {
    await skipUnless(context, ...NEEDS);
    const before = new Set(site.journal().map(({ key }) => key));
    const left = new Set(Array.from({ length: EVENTS }, () => randomUUID()));
    const all = [...left];
    const syncsBefore = (await listener.metrics()).nearlayer_synced_repositories_total ?? 0;
    // As a publisher does it: what was not confirmed is sent again, with the same id.
    const sending = (async () => {
      while (left.size > 0) {
        try {
          await using publisher = await openPublisher(bus.url);
          const lost = new Promise<never>((_, reject) => publisher.channel.once("close", reject));
          lost.catch(() => undefined);
          for (const id of left) {
            const body = { repository: repositoryOf(all.indexOf(id)), tag: "1" };
            const lost = new Promise<never>((_, reject) =>
              publisher.channel.once("close", () => reject(new Error("closed"))),
            );
            lost.catch(() => undefined);
            await Promise.race([publish(publisher, body, { id }), lost]);
            left.delete(id);
          }
        } catch {
          await sleep(200);
        }
      }
    })();
    await until(() => left.size < EVENTS * 0.7, { what: "a part to be sent", every: 1 });
    await bus.halt();
    const sentBefore = EVENTS - left.size;
    await until(async () => (await listener.metrics())['nearlayer_event_source_up{source="amqp"}'] === 0, {
      what: "the listener to notice",
    });
    await bus.resume();
    await sending;
    await untilConnected();
    const keys = () => site.journal().filter(({ key }) => !before.has(key));
    await until(() => keys().length >= EVENTS, { what: "every event to be written down", within: 60_000 });
    await site.untilSettled(before.size + EVENTS);
    expect(sentBefore).toBeLessThan(EVENTS);
    expect(
      keys()
        .map(({ key }) => key)
        .sort(),
    ).toEqual([...all].sort());
    expect(keys().every(({ state }) => state === "done")).toBe(true);
    console.log(
      `repositories synced for these ${EVENTS} events: ${((await listener.metrics()).nearlayer_synced_repositories_total ?? 0) - syncsBefore}`,
    );
    expect(await queueLength()).toBe(0);
  });

  test("a queue that is deleted is declared again", async (context) => {
    await skipUnless(context, ...NEEDS);
    await using publisher = await openPublisher(bus.url);
    await publisher.channel.deleteQueue("nearlayer");
    const id = randomUUID();
    await until(
      async () => {
        await publish(publisher, { repository: "fedora/r0", tag: "1" }, { id });
        return site.journal().some(({ key }) => key === id);
      },
      { what: "the event to come through", every: 250, within: 20_000 },
    );
  });

  test("the end that is asked for leaves nothing unacknowledged", async (context) => {
    await skipUnless(context, ...NEEDS);
    await site.untilSettled(1);
    const started = Date.now();
    await listener.stop();
    console.log(`ended ${Date.now() - started} ms after SIGTERM`);
    expect(await queueLength()).toBe(0);
    expect(new Set(site.journal().map(({ state }) => state))).toEqual(new Set(["done", "parked"]));
  });

  const repositoryOf = (index: number) => `fedora/r${index % REPOSITORIES}`;
  const waiting = () => site.journal().filter(({ state }) => state === "waiting").length;
  const queueLength = async () => {
    await using publisher = await openPublisher(bus.url);
    return (await publisher.channel.checkQueue("nearlayer")).messageCount;
  };
});
