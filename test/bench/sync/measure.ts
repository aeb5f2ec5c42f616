import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { program } from "../../lib/nearlayer.ts";
import { type RunResult, runOk } from "../../lib/process/run.ts";

/** What a run of the syncer used. */
export interface Measured {
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Peak resident set, in bytes. */
  readonly peakBytes: number;
  readonly stdout: string;
}

const HOUR = 3_600_000;

/** Runs a command of the syncer to its end, alone. */
export async function measureSyncer(config: string, args: readonly string[], dir: string): Promise<Measured> {
  const [node, bin] = program("syncer");
  const usage = join(dir, "usage.json");
  const preload = new URL("usage.mjs", import.meta.url).href;
  const { milliseconds, stdout } = await runOk(node, ["--import", preload, bin, ...args, "--config", config], {
    timeout: HOUR,
    env: { NEARLAYER_USAGE: usage, NEARLAYER_LOG: "silent" },
  });
  const used = JSON.parse(await readFile(usage, "utf8")) as { cpuSeconds: number; peakBytes: number };
  return { seconds: milliseconds / 1000, stdout, ...used };
}

/** Runs another program to its end, alone. */
export async function measure(file: string, args: readonly string[], cwd?: string): Promise<RunResult> {
  return runOk(file, args, { timeout: HOUR, ...(cwd === undefined ? {} : { cwd }) });
}

/** Bytes on disk of a folder, each file counted once however many names it has. */
export async function diskUsage(folder: string): Promise<number> {
  const { stdout } = await runOk("du", ["-s", "--apparent-size", "--block-size=1", folder]);
  return Number(stdout.split("\t")[0]);
}
