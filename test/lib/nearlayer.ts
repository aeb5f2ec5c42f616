import { resolve } from "node:path";
import { type Daemon, startDaemon } from "./process/daemon.ts";
import { type RunOptions, type RunResult, run } from "./process/run.ts";

const packages = resolve(import.meta.dirname, "../../packages");

/** The program under test, as `[command, ...arguments]`. */
export function program(name: "syncer" | "mirrorlist"): [string, string] {
  return [process.execPath, resolve(packages, name, "src/bin.js")];
}

/** Runs a command of the syncer with a configuration file: `syncer(config, ["sync", "--json"])`. */
export function syncer(config: string, args: readonly string[], options?: RunOptions): Promise<RunResult> {
  const [node, bin] = program("syncer");
  return run(node, [bin, ...args, "--config", config], options);
}

/** Runs a command of the mirror list that ends by itself. */
export function mirrorlist(config: string, args: readonly string[], options?: RunOptions): Promise<RunResult> {
  const [node, bin] = program("mirrorlist");
  return run(node, [bin, ...args, "--config", config], options);
}

/** Starts `mirrorlist serve`, and waits until it answers at the address that its configuration names. */
export function startMirrorlist(config: string, url: string, dir: string): Promise<Daemon> {
  return startDaemon({
    name: "mirrorlist",
    dir,
    command: [...program("mirrorlist"), "serve", "--config", config],
    ready: async () => (await fetch(`${url}/v2/`)).status === 200,
  });
}
