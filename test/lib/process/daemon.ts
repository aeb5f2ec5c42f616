import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "./until.ts";

/** A server that runs for as long as its handle is not stopped, and never longer than this process. */
export interface Daemon extends AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  /** What it printed. */
  readonly logFile: string;
  running(): boolean;
  kill(signal: NodeJS.Signals): void;
  stop(): Promise<void>;
}

export interface DaemonOptions {
  readonly name: string;
  /** Where its log is kept; made when it is not there. */
  readonly dir: string;
  readonly command: readonly [file: string, ...args: string[]];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** True once it serves. */
  readonly ready: () => Promise<boolean>;
  /** Milliseconds that it may take to come up; 15 s by default. */
  readonly within?: number;
}

const live = new Set<number>();
process.on("exit", () => {
  for (const pid of live) signalGroup(pid, "SIGTERM");
});

/** Starts a server and waits until it serves; when it does not, the error ends with its log. */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const { name, dir, ready, within = 15_000 } = options;
  await mkdir(dir, { recursive: true });
  const logFile = join(dir, `${name}.log`);
  const child = await launch(options, logFile);
  const { pid } = child;
  if (pid === undefined) throw new Error(`${name}: ${options.command[0]} could not be started`);
  live.add(pid);
  const running = () => child.exitCode === null && child.signalCode === null;
  const stop = async () => {
    // The leader first, so that it can end its own in order; then whatever is left of its group.
    if (running()) child.kill("SIGTERM");
    for (let waited = 0; running() && waited < 10_000; waited += 20) await sleep(20);
    signalGroup(pid, "SIGKILL");
    live.delete(pid);
  };
  try {
    await until(async () => !running() || (await ready()), { what: `${name} to serve`, within });
    if (!running()) throw new Error(`${name} ended with ${child.exitCode ?? child.signalCode}`);
  } catch (error) {
    await stop();
    throw new Error(`${error instanceof Error ? error.message : error}\n${await logTail(logFile)}`, { cause: error });
  }
  return { name, pid, logFile, running, stop, kill: (signal) => child.kill(signal), [Symbol.asyncDispose]: stop };
}

async function launch({ command, env, cwd }: DaemonOptions, logFile: string): Promise<ChildProcess> {
  const log = await open(logFile, "a");
  try {
    // The kernel ends the server when this process is gone, however it went.
    const guard = existsSync("/usr/bin/setpriv") ? ["/usr/bin/setpriv", "--pdeathsig", "TERM", "--"] : [];
    const [file = "", ...args] = [...guard, ...command];
    const child = spawn(file, args, {
      detached: true,
      stdio: ["ignore", log.fd, log.fd],
      env: { ...process.env, ...env },
      ...(cwd === undefined ? {} : { cwd }),
    });
    await new Promise<void>((resolve, reject) => child.once("spawn", resolve).once("error", reject));
    return child;
  } finally {
    await log.close();
  }
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // Nobody of the group is left.
  }
}

/** The last lines of a log file, indented, with its name. */
export async function logTail(file: string, lines = 15): Promise<string> {
  const text = await readFile(file, "utf8").catch(() => "");
  return `${file}:\n${text.trimEnd().split("\n").slice(-lines).join("\n")}`.replace(/\n/g, "\n    ");
}
