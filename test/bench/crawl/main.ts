// What crawling many mirrors costs: pnpm bench:crawl [--mirrors N] [--blobs N] [--catalogs DIR]
import { existsSync } from "node:fs";
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { stringify } from "yaml";
import { temporaryFolder } from "../../lib/process/folder.ts";
import { atMost, type Line, megabytes, number, print, ratio, seconds } from "../mirrorlist/table.ts";
import { addGeneration, GENERATIONS, makeCatalog } from "./catalog.ts";
import { startPeer } from "./peer.ts";

interface Measured {
  readonly cpuSeconds: number;
  readonly seconds: number;
  readonly rssBytes: number;
  readonly peakBytes: number;
}

const { values } = parseArgs({
  options: {
    mirrors: { type: "string", default: "1000" },
    /** The larger of the two catalogs; the smaller one has a thousand. */
    blobs: { type: "string", default: "1000000" },
    /** Where the catalogs are kept for the next time. */
    catalogs: { type: "string" },
  },
});
const count = Number(values.mirrors);
const ROUNDS = 5;
/** Of the part in which a mirror dies. */
const INTERVAL_S = 10;

console.log(`${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}`);
await using folder = await temporaryFolder("bench-crawl");
const catalogs = values.catalogs ?? (await folder.at("catalogs"));
await mkdir(catalogs, { recursive: true });
await using mirrors = startPeer("mirrors.ts", String(count));
const ports = JSON.parse(await mirrors.nextLine()) as number[];

async function configFor(blobs: number, interval: string): Promise<{ config: string; catalog: string }> {
  const made = join(catalogs, `crawl-${blobs}.db`);
  if (!existsSync(made)) await makeCatalog(made, blobs);
  const dir = await folder.at(`${blobs}-${interval}`);
  const catalog = join(dir, "catalog.db");
  await copyFile(made, catalog);
  const config = join(dir, "nearlayer.yaml");
  const declared = ports.map((port, index) => ({
    ...{ name: `m${index}`, url: `http://127.0.0.1:${port}/`, country: "JP", allowPrivateAddress: true },
  }));
  await writeFile(config, stringify({ catalog, root: dir, crawler: { interval }, mirrors: declared }));
  return { config, catalog };
}

/** The first full check of all, then, in a process of its own as after a restart, rounds in which nothing is new. */
async function rounds(blobs: number) {
  const { config, catalog } = await configFor(blobs, "60s");
  await mirrors.ask(`generation ${GENERATIONS}`);
  const first = await (async () => {
    await using crawler = startPeer("measured.ts", config);
    const measured = await crawler.ask<Measured>("round");
    const active = await crawler.ask<number>("active");
    if (active !== count) throw new Error(`${active} of ${count} mirrors passed their first check`);
    return measured;
  })();
  await using crawler = startPeer("measured.ts", config);
  const all: Measured[] = [];
  for (let round = 0; round < ROUNDS; round += 1) all.push(await crawler.ask<Measured>("round"));
  const bare: Measured[] = [];
  for (let round = 0; round < ROUNDS; round += 1) bare.push(await crawler.ask<Measured>("bare"));
  addGeneration(catalog, GENERATIONS + 1, 40);
  await mirrors.ask(`generation ${GENERATIONS + 1}`);
  await crawler.ask("refresh");
  const news = await crawler.ask<Measured>("round");
  const counted = await crawler.ask<number>(`counted ${GENERATIONS + 1}`);
  if (counted !== count) throw new Error(`${counted} of ${count} mirrors count for the new generation`);
  return { first, round: all[0] as Measured, unchanged: median(all), gets: median(bare), news };
}

const median = (all: readonly Measured[]) =>
  all.toSorted((a, b) => a.cpuSeconds - b.cpuSeconds)[Math.floor(all.length / 2)] as Measured;

/** The crawl as it goes on by itself, a mirror that checks in, and one that dies. */
async function living() {
  await mirrors.ask(`generation ${GENERATIONS}`);
  const calm = await configFor(1000, "60s");
  await (async () => {
    await using crawler = startPeer("measured.ts", calm.config);
    await crawler.ask("round");
  })();
  await using crawler = startPeer("measured.ts", calm.config);
  await crawler.ask("start");
  const idle = await crawler.ask<Measured>("idle 90");
  addGeneration(calm.catalog, GENERATIONS + 1, 40);
  await mirrors.ask(`generation ${GENERATIONS + 1}`);
  await crawler.ask("refresh");
  const current: number[] = [];
  for (const name of ["m1", "m2", "m3"]) current.push(await crawler.ask<number>(`checkIn ${name}@${GENERATIONS + 1}`));
  const hasty = await configFor(1000, `${INTERVAL_S}s`);
  await mirrors.ask(`generation ${GENERATIONS}`);
  await using other = startPeer("measured.ts", hasty.config);
  await other.ask("round");
  await other.ask("start");
  const dead: number[] = [];
  for (const index of [5, 6, 7]) {
    await mirrors.ask(`dead ${ports[index]}`);
    dead.push(await other.ask<number>(`dead m${index}`));
  }
  return { idle, current: Math.max(...current), dead: Math.max(...dead) };
}

const small = await rounds(1000);
const large = await rounds(Number(values.blobs));
const { idle, current, dead } = await living();
const many = `${number(Number(values.blobs))} blobs`;
const cpu = (what: string, { cpuSeconds }: Measured): Line => ({ what, figure: seconds(cpuSeconds) });
print(`${number(count)} mirrors × 4 platforms`, [
  atMost(`a round of all at once in which nothing is new, CPU, ${many}`, large.unchanged.cpuSeconds, 20, seconds),
  { what: "  the same, until it has ended", figure: seconds(large.unchanged.seconds) },
  { what: "  the same, 1 000 blobs", figure: seconds(small.unchanged.cpuSeconds) },
  atMost(`  ${many} : 1 000 blobs`, large.unchanged.cpuSeconds / small.unchanged.cpuSeconds, 1.3, ratio),
  cpu("  as many bare conditional GETs by undici, CPU", large.gets),
  { what: "  a round : bare GETs", figure: ratio(large.unchanged.cpuSeconds / large.gets.cpuSeconds) },
  atMost("  memory at its peak, in the first round after a start", large.round.peakBytes, 300e6, megabytes),
  cpu("90 s of crawling each 60 s, audits with it, CPU", idle),
  atMost("  memory at its peak", idle.peakBytes, 300e6, megabytes),
  cpu("the first full check of all at once (32 blobs in each platform), CPU", large.first),
  { what: "  memory at its peak", figure: megabytes(large.first.peakBytes) },
  cpu("a round with a new generation everywhere, 16 blobs looked at in each, CPU", large.news),
  { what: "  the same, 1 000 blobs", figure: seconds(small.news.cpuSeconds) },
  atMost("from a check-in until it is current, longest of 3", current, 5, seconds),
  atMost(`until a dead mirror is known, longest of 3, in intervals of ${INTERVAL_S} s`, dead / INTERVAL_S, 2, ratio),
]);
