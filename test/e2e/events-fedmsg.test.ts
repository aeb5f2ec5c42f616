import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Publisher } from "zeromq";
import { type EventSite, startEventSite } from "../lib/event-site.ts";
import { pushImage } from "../lib/images/push.ts";
import { randomImages } from "../lib/images/samples.ts";
import type { Listener } from "../lib/listener.ts";
import { type TemporaryFolder, temporaryFolder } from "../lib/process/folder.ts";
import { freePort } from "../lib/process/ports.ts";
import { until } from "../lib/process/until.ts";
import { skipUnless, whyNot } from "../lib/requirements.ts";

const NEEDS = ["registry", "nginx", "rsync"] as const;
const TOPIC = "org.example.prod.buildsys.build.state.change";

/** A real ZeroMQ publisher that sends what fedmsg sends. */
describe("events from fedmsg", () => {
  let folder: TemporaryFolder;
  let site: EventSite | undefined;
  let listener: Listener;
  let publisher: Publisher;
  let endpoint: string;
  let count = 0;

  beforeAll(async () => {
    folder = await temporaryFolder("fedmsg");
    for (const name of NEEDS) if (await whyNot(name)) return;
    endpoint = `tcp://127.0.0.1:${await freePort()}`;
    publisher = await bind();
    site = await startEventSite({
      dir: folder.path,
      events: {
        maxBody: 65_536,
        fedmsg: { endpoints: [endpoint] },
        rules: [
          { use: "koji-build", repository: "fedora/{/name}" },
          { topic: "org.example.prod.image.#", repository: "fedora/{/msg/repo}" },
        ],
      },
    });
    const [image] = await Array.fromAsync(randomImages({ seed: "fedmsg", count: 1 }));
    if (image === undefined) throw new Error("there is no image");
    await pushImage(site.network.registry.url, "fedora/app", "40-1", image);
    listener = await site.listen();
    await untilConnected();
  });

  afterAll(async () => {
    await listener?.stop();
    publisher?.close();
    await site?.[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  const bind = async () => {
    const socket = new Publisher({ linger: 0 });
    await socket.bind(endpoint);
    return socket;
  };
  const untilConnected = () =>
    until(async () => (await listener.metrics())['nearlayer_event_source_up{source="fedmsg"}'] === 1, {
      what: "the listener to be at the publisher",
    });
  const envelope = (topic: string, msg: unknown, id = `2026-${++count}`) =>
    JSON.stringify({
      ...{ topic, msg, msg_id: id, timestamp: Math.floor(Date.now() / 1000), i: count, username: "koji" },
      ...{ crypto: "x509", signature: "c2ln", certificate: "Y2VydA==" },
    });
  const build = { attribute: "state", old: 0, new: 1, name: "app", version: "40", release: "1", epoch: null };
  const journal = () => site?.journal() ?? [];

  test("a build that is complete brings its image into the tree", async (context) => {
    await skipUnless(context, ...NEEDS);
    await publisher.send([TOPIC, envelope(TOPIC, build)]);
    await until(() => journal().find(({ state }) => state === "done"), { what: "the event to be done" });
    expect(journal()).toMatchObject([{ source: "fedmsg", key: "2026-1", repository: "fedora/app", tag: "40-1" }]);
  });

  test("what cannot be read is parked or ignored, and what comes after it is done", async (context) => {
    await skipUnless(context, ...NEEDS);
    const before = journal().length;
    await publisher.send([TOPIC, "{ not JSON"]);
    await publisher.send([TOPIC, envelope(TOPIC, { ...build, name: "../../etc" })]);
    await publisher.send(["org.example.unknown", envelope("org.example.unknown", build)]);
    await publisher.send([TOPIC, envelope(TOPIC, build), "a third frame"]);
    await publisher.send([TOPIC, envelope(TOPIC, build, "2026-1")]);
    await publisher.send(["org.example.prod.image.pushed", envelope("org.example.prod.image.pushed", { repo: "app" })]);
    const rows = (await site?.untilSettled(before + 3))?.slice(before) ?? [];
    expect(rows.map(({ state, reason }) => [state, reason])).toEqual([
      ["parked", expect.stringContaining("not JSON")],
      ["parked", expect.stringContaining("not a repository name")],
      ["done", null],
    ]);
  });

  test("one that is too large costs the connection, which comes back", async (context) => {
    await skipUnless(context, ...NEEDS);
    await publisher.send([TOPIC, Buffer.alloc(50_000_000, "a")]);
    const id = "2026-after-the-large-one";
    await until(
      async () => {
        await publisher.send([TOPIC, envelope(TOPIC, build, id)]);
        return journal().some(({ key, state }) => key === id && state === "done");
      },
      { what: "the event after it to be done", every: 200 },
    );
    expect(listener.running()).toBe(true);
  });

  test("a publisher that comes back is heard again", async (context) => {
    await skipUnless(context, ...NEEDS);
    publisher.close();
    await until(async () => (await listener.metrics())['nearlayer_event_source_up{source="fedmsg"}'] === 0, {
      what: "the listener to notice",
    });
    publisher = await bind();
    await untilConnected();
    await until(
      async () => {
        await publisher.send([TOPIC, envelope(TOPIC, build, "2026-back")]);
        return journal().some(({ key }) => key === "2026-back");
      },
      { what: "an event to come through", every: 100 },
    );
  });
});
