import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Daemon, startDaemon } from "../process/daemon.ts";
import { type RunOptions, type RunResult, run } from "../process/run.ts";
import { socketPath } from "./dockerd.ts";

/** A containerd of its own. */
export interface Containerd extends Daemon {
  readonly socket: string;
  /** Runs ctr against it. */
  ctr(args: readonly string[], options?: RunOptions): Promise<RunResult>;
}

export async function startContainerd({ dir }: { readonly dir: string }): Promise<Containerd> {
  const socket = socketPath(join(dir, "containerd.sock"));
  await mkdir(dir, { recursive: true });
  const config = join(dir, "containerd.toml");
  await writeFile(
    config,
    `version = 2
root = "${join(dir, "root")}"
state = "${join(dir, "state")}"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
address = "${socket}"
[ttrpc]
address = "${socket}.ttrpc"
`,
  );
  const ctr = (args: readonly string[], options?: RunOptions) =>
    run("ctr", ["--address", socket, "--namespace", "nearlayer", ...args], options);
  const daemon = await startDaemon({
    name: "containerd",
    dir,
    command: ["containerd", "--config", config],
    ready: async () => (await ctr(["version"], { timeout: 5_000 })).exitCode === 0,
    within: 30_000,
  });
  return { ...daemon, socket, ctr };
}
