import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { program } from "../../lib/nearlayer.ts";
import { type Daemon, startDaemon } from "../../lib/process/daemon.ts";
import { freePort } from "../../lib/process/ports.ts";
import { until } from "../../lib/process/until.ts";
import type { BenchMirror } from "./fleet.ts";

/** A mirror list that serves a made-up catalog. */
export interface Served extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
  /** The file of its catalog, a copy of the one that was given. */
  readonly catalog: string;
  /** From the start of the process to the first answer, and to `/readyz`: the mirrors have been probed. Seconds. */
  readonly answersAfter: number;
  readonly readyAfter: number;
  /** Bytes: now, and at most so far. */
  memory(): Promise<{ readonly now: number; readonly peak: number }>;
  /** The event loop's delay since the last call. */
  loopDelay(): Promise<LoopDelay>;
}

/** Milliseconds. */
export interface LoopDelay {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** More flags of Node for the mirror list, to find out where time goes: `BENCH_NODE_FLAGS="--perf-prof"`. */
const FLAGS = process.env.BENCH_NODE_FLAGS?.split(" ") ?? [];

export async function serve(dir: string, made: string, mirrors: readonly BenchMirror[]): Promise<Served> {
  await mkdir(dir, { recursive: true });
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const delayFile = join(dir, "loop-delay.json");
  const config = join(dir, "nearlayer.yaml");
  const mirrorlist = { listen: `127.0.0.1:${port}` };
  const catalog = join(dir, "catalog.db");
  await copyFile(made, catalog);
  // The mirrors make up their blobs, which have other hashes.
  const crawler = { hashBytesPerDay: 0 };
  // JSON is YAML.
  await writeFile(config, JSON.stringify({ catalog, root: join(dir, "root"), mirrorlist, crawler, mirrors }));
  const preload = new URL("loop-delay.mjs", import.meta.url).href;
  const [node, bin] = program("mirrorlist");
  const started = performance.now();
  const since = () => (performance.now() - started) / 1000;
  const daemon: Daemon = await startDaemon({
    name: "mirrorlist",
    dir,
    command: [node, ...FLAGS, "--import", preload, bin, "serve", "--config", config],
    env: { BENCH_LOOP_DELAY: delayFile },
    ready: async () => (await fetch(`${url}/v2/`)).status === 200,
    within: 120_000,
  });
  const answersAfter = since();
  await until(async () => (await fetch(`${url}/readyz`)).status === 200, { what: "/readyz", within: 120_000 });
  const readyAfter = since();
  const states = async () => {
    const { mirrors: shown } = (await (await fetch(`${url}/mirrors.json`)).json()) as { mirrors: { state: string }[] };
    return shown.map(({ state }) => state);
  };
  const areActive = async () => (await states()).every((state) => state === "active");
  await until(areActive, { what: "every mirror to pass its first check", within: 120_000, every: 500 });
  return {
    url,
    catalog,
    pid: daemon.pid,
    answersAfter,
    readyAfter,
    async memory() {
      const status = await readFile(`/proc/${daemon.pid}/status`, "utf8");
      const bytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) * 1024;
      return { now: bytes("VmRSS"), peak: bytes("VmHWM") };
    },
    async loopDelay() {
      await rm(delayFile, { force: true });
      daemon.kill("SIGUSR2");
      const read = async () => JSON.parse(await readFile(delayFile, "utf8")) as LoopDelay;
      return until(read, { what: "the event loop's delay", within: 10_000 });
    },
    [Symbol.asyncDispose]: () => daemon.stop(),
  };
}
