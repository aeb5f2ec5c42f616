import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runOk } from "../../lib/process/run.ts";

/** What is asked of a server. */
export interface Load {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  readonly paths: readonly string[];
  /** What its clients call themselves. */
  readonly agent?: string;
  /** The process that answers. */
  readonly pid: number;
}

/** What wrk has counted. Times in milliseconds. */
export interface Counted {
  readonly requests: number;
  readonly seconds: number;
  /** What the server's process has used, user and system together; a worker's is not in its master's. */
  readonly cpuSeconds: number;
  /** No answer, or a status from 400 on. */
  readonly failures: number;
  readonly p50: number;
  readonly p99: number;
}

export interface Wrk {
  /** As much as goes, over 32 connections. */
  run(load: Load, seconds: number): Promise<Counted>;
  /** About so many requests a second: each of many connections waits 10 ms after an answer. */
  runAt(load: Load, seconds: number, rate: number): Promise<Counted>;
}

const CONNECTIONS = 32;
const DELAY_MS = 10;

/** One thread of wrk, whose clients have addresses in these prefixes (`192.0.2.`). */
export async function createWrk(dir: string, prefixes: readonly string[]): Promise<Wrk> {
  const prefixFile = join(dir, "prefixes");
  await writeFile(prefixFile, prefixes.join("\n"));
  const script = join(import.meta.dirname, "client.lua");
  let files = 0;

  async function count(load: Load, seconds: number, connections: number, delay?: number): Promise<Counted> {
    const pathFile = join(dir, `paths-${files++}`);
    await writeFile(pathFile, load.paths.join("\n"));
    const args = ["-t1", `-c${connections}`, `-d${seconds}s`, "--timeout", "10s", "-s", script, load.url];
    const before = await cpuOf(load.pid);
    const { stdout } = await runOk("wrk", args, {
      timeout: (seconds + 60) * 1000,
      env: {
        BENCH_PATHS: pathFile,
        BENCH_PREFIXES: prefixFile,
        BENCH_AGENT: load.agent ?? "docker/27.0",
        ...(delay === undefined ? {} : { BENCH_DELAY_MS: String(delay) }),
      },
    });
    const result = /^RESULT (.*)$/m.exec(stdout)?.[1];
    if (result === undefined) throw new Error(`wrk said: ${stdout}`);
    const cpuSeconds = (await cpuOf(load.pid)) - before;
    return { ...(JSON.parse(result) as Omit<Counted, "cpuSeconds">), cpuSeconds };
  }

  return {
    run: (load, seconds) => count(load, seconds, CONNECTIONS),
    runAt: (load, seconds, rate) => count(load, seconds, Math.max(1, Math.round((rate * DELAY_MS) / 1000)), DELAY_MS),
  };
}

export const rateOf = ({ requests, seconds }: Counted) => requests / seconds;

/** Seconds of CPU that a process has used so far: fields 14 and 15 of proc(5), in hundredths. */
async function cpuOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  const [user, system] = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .slice(11, 13);
  return (Number(user) + Number(system)) / 100;
}

/** How fast a server is: by the clock, which hangs on what else the machine does, and by the CPU that it takes. */
export interface Speed {
  /** Answers a second. */
  readonly rate: number;
  /** Microseconds of CPU for an answer. */
  readonly cost: number;
}

/** Speeds of several servers, a round each and again, so that what else the machine does meets all of them. */
export async function compare(wrk: Wrk, loads: Readonly<Record<string, Load>>, seconds: number, rounds: number) {
  const sums = new Map<string, Pick<Counted, "requests" | "seconds" | "cpuSeconds">>();
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, load] of Object.entries(loads)) {
      const counted = await wrk.run(load, seconds);
      if (counted.failures > 0) throw new Error(`${name}: ${counted.failures} of ${counted.requests} requests failed`);
      const sum = sums.get(name) ?? { requests: 0, seconds: 0, cpuSeconds: 0 };
      sums.set(name, {
        requests: sum.requests + counted.requests,
        seconds: sum.seconds + counted.seconds,
        cpuSeconds: sum.cpuSeconds + counted.cpuSeconds,
      });
    }
  }
  return (name: string): Speed => {
    const { requests, seconds: elapsed, cpuSeconds } = sums.get(name) ?? { requests: 0, seconds: 0, cpuSeconds: 0 };
    return { rate: requests / elapsed, cost: (cpuSeconds * 1e6) / requests };
  };
}
