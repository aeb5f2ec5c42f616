// A consumer that does nothing but acknowledge: node bare-consumer.ts URL QUEUE COUNT
import { connect } from "amqplib";

const [url = "", queue = "", count = "0"] = process.argv.slice(2);
const connection = await connect(url, { noDelay: true });
const channel = await connection.createChannel();
await channel.prefetch(100);
const started = performance.now();
let left = Number(count);
const done = Promise.withResolvers<void>();
await channel.consume(queue, (message) => {
  if (message === null) return;
  JSON.parse(message.content.toString());
  channel.ack(message);
  if (--left === 0) done.resolve();
});
await done.promise;
const { user, system } = process.cpuUsage();
const seconds = (performance.now() - started) / 1000;
await connection.close();
console.log(
  JSON.stringify({ seconds, cpuSeconds: (user + system) / 1e6, peakBytes: process.resourceUsage().maxRSS * 1024 }),
);
