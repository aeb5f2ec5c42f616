import { createHmac } from "node:crypto";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { text } from "node:stream/consumers";
import { type ConsumeMessage, connect } from "amqplib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openPublisher } from "../lib/bus.ts";
import { type EventSite, secretFile, startEventSite } from "../lib/event-site.ts";
import { pushImage } from "../lib/images/push.ts";
import { randomImages } from "../lib/images/samples.ts";
import type { Listener } from "../lib/listener.ts";
import { syncer } from "../lib/nearlayer.ts";
import { type RabbitMq, startRabbitMq } from "../lib/peers/rabbitmq.ts";
import { makeCertificate, makeSignedCertificate } from "../lib/process/certificate.ts";
import { type TemporaryFolder, temporaryFolder } from "../lib/process/folder.ts";
import { expectOk } from "../lib/process/run.ts";
import { until } from "../lib/process/until.ts";
import { skipUnless, whyNot } from "../lib/requirements.ts";

const NEEDS = ["registry", "nginx", "rsync", "rabbitmq", "credentials"] as const;
const SECRET = "shared";

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A broker that asks for a client certificate, and those who want to hear what has come of an event. */
describe("telling others", () => {
  let folder: TemporaryFolder;
  let site: EventSite;
  let bus: RabbitMq;
  let listener: Listener;
  let isRefusing = true;
  let refused = 0;
  const hooked: Received[] = [];
  const messages: ConsumeMessage[] = [];
  const cleanUp = new AsyncDisposableStack();

  beforeAll(async () => {
    folder = cleanUp.use(await temporaryFolder("notify"));
    for (const name of NEEDS) if (await whyNot(name)) return;
    const own = await makeCertificate(folder.path, "broker");
    const ca = await makeCertificate(folder.path, "ca");
    const client = await makeSignedCertificate(folder.path, "client", "ca");
    const tls = { own: { ...own, keyFile: join(folder.path, "broker.key") }, clientCa: ca.file };
    bus = cleanUp.use(await startRabbitMq({ dir: await folder.at("rabbitmq"), tls }));
    const hook = createServer(async (request, response) => {
      const body = await text(request);
      if (isRefusing) {
        refused += 1;
        return void response.writeHead(500).end();
      }
      hooked.push({ headers: request.headers, body });
      response.writeHead(204).end();
    });
    hook.listen(0, "127.0.0.1");
    await once(hook, "listening");
    cleanUp.defer(() => void hook.close());
    await writeFile(join(folder.path, "password"), "guest\n");
    site = cleanUp.use(
      await startEventSite({
        dir: folder.path,
        events: {
          amqp: {
            url: bus.tlsUrl,
            username: "guest",
            passwordFile: join(folder.path, "password"),
            ca: own.file,
            certificate: client.file,
            key: join(folder.path, "client.key"),
          },
          audit: "never",
          retry: { first: "100ms", longest: "300ms" },
          rules: [{ topic: "image.pushed", repository: "{/repository}" }],
          notify: {
            webhooks: [
              {
                url: `http://127.0.0.1:${(hook.address() as AddressInfo).port}/hook`,
                secretFile: await secretFile(folder.path, SECRET),
              },
            ],
            amqp: { topic: "org.example.nearlayer" },
            percent: 50,
          },
        },
      }),
    );
    const connection = await connect(bus.url);
    cleanUp.defer(() => connection.close().catch(() => undefined));
    const channel = await connection.createChannel();
    const { queue } = await channel.assertQueue("", { exclusive: true });
    await channel.bindQueue(queue, "amq.topic", "org.example.nearlayer.#");
    await channel.consume(queue, (message) => void (message && messages.push(message)), { noAck: true });
    const [image] = await Array.fromAsync(randomImages({ seed: "notify", count: 1 }));
    if (image === undefined) throw new Error("there is no image");
    await pushImage(site.network.registry.url, "fedora/app", "40", image);
    listener = cleanUp.use(await site.listen());
    await until(async () => (await listener.metrics())['nearlayer_event_source_up{source="amqp"}'] === 1, {
      what: "the listener to be at the broker, by its certificate",
    });
  });

  afterAll(() => cleanUp.disposeAsync());

  const read = ({ body }: Received) => JSON.parse(body) as { event: string; platform: string; generation: number };

  test("a generation that is out is told on the bus, in fedora-messaging's form, and to webhooks, signed", async (context) => {
    await skipUnless(context, ...NEEDS);
    await using publisher = await openPublisher(bus.url);
    await publisher.publish("image.pushed", { repository: "fedora/app" });
    await site.untilSettled(1);
    await until(() => messages.length >= 2, { what: "a message for each platform" });
    const { fields, properties, content } = messages[0] as ConsumeMessage;
    expect(fields.routingKey).toBe("org.example.nearlayer.generation.published");
    expect(JSON.parse(content.toString())).toMatchObject({ event: "generation.published", generation: 1 });
    expect(properties).toMatchObject({
      contentType: "application/json",
      deliveryMode: 2,
      messageId: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/),
      headers: {
        fedora_messaging_schema: "base.message",
        fedora_messaging_severity: 20,
        "sent-at": expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$/),
      },
    });
    // Who refuses is told again, and nothing is lost by it.
    await until(() => refused > 1, { what: "the webhook to be tried again" });
    isRefusing = false;
    await until(() => hooked.length >= 2, { what: "the webhook to be told" });
    expect(hooked.map((one) => [read(one).event, read(one).platform, read(one).generation]).sort()).toEqual([
      ["generation.published", "linux-amd64", 1],
      ["generation.published", "linux-arm64", 1],
    ]);
    const [{ headers, body }] = hooked as [Received];
    expect(headers["x-hub-signature-256"]).toBe(`sha256=${createHmac("sha256", SECRET).update(body).digest("hex")}`);
  });

  test("a generation that so many of the mirrors have is told once", async (context) => {
    await skipUnless(context, ...NEEDS);
    const before = messages.length;
    {
      using database = new DatabaseSync(join(folder.path, "catalog.db"), { timeout: 10_000 });
      const now = new Date().toISOString();
      database
        .prepare("insert into propagation (platform, generation, made_at, mirrors, half_at) values (?, 1, ?, 3, ?)")
        .run("linux-amd64", now, now);
    }
    await until(() => messages.length > before, { what: "the message" });
    expect(JSON.parse(messages.at(-1)?.content.toString() ?? "")).toMatchObject({
      ...{ event: "generation.propagated", platform: "linux-amd64", generation: 1, percent: 50, mirrors: 3 },
    });
    await until(() => hooked.some((one) => read(one).event === "generation.propagated"), { what: "the webhook" });
    await listener.stop();
    listener = cleanUp.use(await site.listen());
    expectOk(await syncer(site.network.config, ["trigger", "--wait", "fedora/app"]));
    expect(messages).toHaveLength(before + 1);
    expect(hooked).toHaveLength(3);
  });
});
