import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Daemon, startDaemon } from "../process/daemon.ts";
import { type RunOptions, type RunResult, run } from "../process/run.ts";

/** A Docker Engine of its own: data, sockets and its own containerd, apart from any that the machine runs. */
export interface Dockerd extends Daemon {
  readonly socket: string;
  /** Runs the docker command against it. */
  docker(args: readonly string[], options?: RunOptions): Promise<RunResult>;
}

export async function startDockerd({ dir }: { readonly dir: string }): Promise<Dockerd> {
  const socket = socketPath(join(dir, "docker.sock"));
  // The machine's and the user's settings and credentials stay out of it.
  const config = join(dir, "client");
  await mkdir(config, { recursive: true });
  const settings = join(dir, "daemon.json");
  await writeFile(settings, "{}\n");
  const docker = (args: readonly string[], options?: RunOptions) =>
    run("docker", ["--config", config, "--host", `unix://${socket}`, ...args], options);
  const daemon = await startDaemon({
    name: "dockerd",
    dir,
    command: [
      ...["dockerd", "--config-file", settings, "--host", `unix://${socket}`],
      ...["--data-root", join(dir, "data"), "--exec-root", join(dir, "exec"), "--pidfile", join(dir, "dockerd.pid")],
      ...["--storage-driver", "vfs", "--bridge=none", "--iptables=false", "--ip6tables=false"],
    ] as ["dockerd", ...string[]],
    ready: async () => (await docker(["version"], { timeout: 5_000 })).exitCode === 0,
    within: 30_000,
  });
  return { ...daemon, socket, docker };
}

/** A Unix socket's path may have 107 bytes; what is longer fails with a message that nobody understands. */
export function socketPath(path: string): string {
  if (path.length <= 107) return path;
  throw new Error(`${path} is too long for a Unix socket: take a folder with a shorter path`);
}
