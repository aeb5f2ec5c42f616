// The crawler by itself, in a process that is measured: node measured.ts CONFIG; a line of work on stdin, JSON on stdout.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { openNetwork } from "@nearlayer/mirrorlist/commands/probed";
import { keepMemorySmall } from "@nearlayer/mirrorlist/server/collector";
import { wantProbe } from "@nearlayer/shared/catalog/mirror-states";
import { openCatalog } from "@nearlayer/shared/catalog/open";
import { loadConfig } from "@nearlayer/shared/config/load";
import { Agent, request } from "undici";
import { PLATFORMS } from "./catalog.ts";

// As both programs that crawl do.
keepMemorySmall();
const config = loadConfig(process.argv[2] ?? "");
await using opened = await openNetwork(config);
const { crawler, network } = opened;

/** The largest resident set so far, in bytes. Not maxRSS: that begins with what the program that started this one had. */
function peakBytes(): number {
  const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  return Number(kilobytes) * 1024;
}

/** CPU and wall-clock seconds of a work, and the process's resident set after it, in bytes. */
async function measure(work: () => Promise<unknown>) {
  const [cpu, started] = [process.cpuUsage(), performance.now()];
  await work();
  const { user, system } = process.cpuUsage(cpu);
  return {
    cpuSeconds: (user + system) / 1e6,
    seconds: (performance.now() - started) / 1000,
    rssBytes: process.memoryUsage.rss(),
    peakBytes: peakBytes(),
  };
}

const counted = (generation: number) =>
  network
    .mirrors()
    .filter(({ probes }) => PLATFORMS.every((platform) => probes.get(platform)?.generation === generation));

/** The same number of conditional GETs without anything around them, over an agent as the crawler's. */
async function bareGets() {
  const agent = new Agent({ connections: 16, pipelining: 1, keepAliveTimeout: 10_000 });
  const queue = [...network.mirrors()];
  const worker = async () => {
    for (let mirror = queue.shift(); mirror !== undefined; mirror = queue.shift()) {
      for (const platform of PLATFORMS) {
        const etag = mirror.probes.get(platform)?.etag ?? "";
        const url = `${mirror.url}zz-state/${platform}/GENERATION`;
        const { body } = await request(url, { dispatcher: agent, headers: { "if-none-match": etag } });
        await body.dump();
      }
    }
  };
  const result = await measure(async () => Promise.all(Array.from({ length: 128 }, worker)));
  await agent.destroy();
  return result;
}

const until = async (check: () => boolean, seconds: number) => {
  const started = performance.now();
  while (!check()) {
    if (performance.now() - started > seconds * 1000) return Number.NaN;
    await sleep(10);
  }
  return (performance.now() - started) / 1000;
};

const works: Record<string, (argument: string) => Promise<unknown>> = {
  round: () => measure(() => crawler.runNow()),
  bare: bareGets,
  refresh: () => opened.refresh(),
  active: async () => network.mirrors().filter(({ state }) => state === "active").length,
  counted: async (generation) => counted(Number(generation)).length,
  start: async () => crawler.start(),
  /** Another process's check-in, as the catalog tells of it. */
  async checkIn(name) {
    const [, generation] = name.split("@");
    await using other = await openCatalog(config.catalog);
    await wantProbe(other, name.split("@")[0] ?? "", new Date().toISOString());
    return until(() => counted(Number(generation)).some((mirror) => mirror.name === name.split("@")[0]), 30);
  },
  dead: (name) => until(() => network.mirrors().find((mirror) => mirror.name === name)?.state === "unreachable", 120),
  idle: (seconds) => measure(() => sleep(Number(seconds) * 1000)),
};

for await (const line of createInterface(process.stdin)) {
  const [what = "", argument = ""] = line.split(" ");
  console.log(JSON.stringify((await works[what]?.(argument)) ?? null));
}
