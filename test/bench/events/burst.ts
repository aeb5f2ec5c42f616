import { join } from "node:path";
import { openPublisher } from "../../lib/bus.ts";
import { startEventSite } from "../../lib/event-site.ts";
import { pushImage } from "../../lib/images/push.ts";
import { randomImages } from "../../lib/images/samples.ts";
import { startRabbitMq } from "../../lib/peers/rabbitmq.ts";
import { runOk } from "../../lib/process/run.ts";
import { until } from "../../lib/process/until.ts";
import { megabytes, printTable, seconds, times } from "../sync/table.ts";
import { usageOf } from "./usage.ts";

const TOPIC = "org.example.image.pushed";

/** Many events at once, for few repositories: into the journal, acknowledged, and synced. */
export async function benchBurst(dir: string, { events, repositories }: { events: number; repositories: number }) {
  await using bus = await startRabbitMq({ dir: join(dir, "rabbitmq") });
  await using site = await startEventSite({
    dir,
    events: {
      amqp: { url: bus.url },
      rules: [{ topic: TOPIC, repository: "{/image/repository}", tag: "{/image/tag}" }],
    },
  });
  let index = 0;
  for await (const image of randomImages({ seed: "burst", count: repositories, layers: 1, layerSize: 10_000 })) {
    await pushImage(site.network.registry.url, `bench/r${index++}`, "1", image);
  }
  const listener = await site.listen();
  await until(async () => (await listener.metrics())['nearlayer_audits_total{result="ok"}'] === 1, {
    what: "the first audit",
    within: 120_000,
  });
  await until(async () => (await listener.metrics())['nearlayer_event_source_up{source="amqp"}'] === 1, {
    what: "the listener to be at the broker",
  });
  const messages = Array.from({ length: events }, (_, number) => ({
    topic: TOPIC,
    body: { image: { repository: `bench/r${number % repositories}`, tag: "1" }, number, padding: "x".repeat(1000) },
  }));
  const before = usageOf(listener.pid);
  const syncsBefore = await listener.metrics();
  const started = performance.now();
  await using publisher = await openPublisher(bus.url);
  await publisher.publishAll(messages);
  const sent = performance.now() - started;
  await until(() => site.journal().length >= events, { what: "all to be written down", within: 120_000, every: 20 });
  await until(async () => (await publisher.channel.checkQueue("nearlayer")).messageCount === 0, {
    what: "the queue to be empty",
    every: 20,
  });
  const journalled = performance.now() - started;
  const atAck = usageOf(listener.pid);
  await site.untilSettled(events, 300_000);
  const settled = performance.now() - started;
  const after = usageOf(listener.pid);
  const metrics = await listener.metrics();
  const grown = (name: string) => (metrics[name] ?? 0) - (syncsBefore[name] ?? 0);
  const synced = grown("nearlayer_synced_repositories_total");
  await listener.stop();

  await publisher.channel.assertQueue("bare");
  await publisher.channel.bindQueue("bare", "amq.topic", TOPIC);
  await publisher.publishAll(messages);
  const consumer = `${import.meta.dirname}/bare-consumer.ts`;
  const bare = JSON.parse((await runOk(process.execPath, [consumer, bus.url, "bare", String(events)])).stdout) as {
    readonly seconds: number;
    readonly cpuSeconds: number;
    readonly peakBytes: number;
  };

  printTable(
    `A burst of ${events} events for ${repositories} repositories (sent within ${seconds(sent / 1000)})`,
    ["", "wall", "CPU", "peak memory", "of it its own"],
    [
      [
        "a consumer that only acknowledges",
        seconds(bare.seconds),
        seconds(bare.cpuSeconds),
        megabytes(bare.peakBytes),
        "",
      ],
      [
        "journalled and acknowledged",
        seconds(journalled / 1000),
        seconds(atAck.cpuSeconds - before.cpuSeconds),
        megabytes(atAck.peakBytes),
        megabytes(atAck.ownBytes),
      ],
      [
        "  ratio",
        times(journalled / 1000 / bare.seconds),
        times((atAck.cpuSeconds - before.cpuSeconds) / bare.cpuSeconds),
        times(atAck.peakBytes / bare.peakBytes),
        "",
      ],
      [
        "synced and published",
        seconds(settled / 1000),
        seconds(after.cpuSeconds - before.cpuSeconds),
        megabytes(after.peakBytes),
        megabytes(after.ownBytes),
      ],
    ],
  );
  console.log(
    `\n  before the burst: ${megabytes(before.peakBytes)} at its peak, of it ${megabytes(before.ownBytes)} its own`,
  );
  console.log(
    `  runs of a sync: ${grown('nearlayer_syncs_total{result="ok"}')}; repositories synced: ${synced}, ${times(synced / repositories)} the repositories`,
  );
}
