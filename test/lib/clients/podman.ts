import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { expectOk, type RunResult, run } from "../process/run.ts";
import { platformArgs, type RunningClient } from "./client.ts";

/** podman, which also tells what it knows of an image, and passes it on. */
export interface PodmanClient extends RunningClient {
  /** JSON: a list of one. */
  inspect(reference: string): Promise<RunResult>;
  /** Pushes a pulled image under another name, over plain HTTP. */
  push(reference: string, target: string): Promise<RunResult>;
}

/** podman with storage of its own; there is no daemon. */
export async function podmanClient(dir: string): Promise<PodmanClient> {
  await mkdir(dir, { recursive: true });
  const storage = ["--root", join(dir, "root"), "--runroot", join(dir, "run"), "--storage-driver", "vfs"];
  const apart = ["--tmpdir", join(dir, "tmp"), "--cgroup-manager", "cgroupfs", "--events-backend", "none"];
  // Credentials and settings of whoever runs the tests stay out of it.
  const env = { HOME: dir, XDG_RUNTIME_DIR: undefined, REGISTRY_AUTH_FILE: undefined };
  const podman = (args: readonly string[], timeout?: number) =>
    run("podman", [...storage, ...apart, ...args], { env, ...(timeout === undefined ? {} : { timeout }) });
  return {
    name: "podman",
    pull: (reference, options = {}) =>
      podman(["pull", "--tls-verify=false", ...platformArgs(options), reference], options.timeout),
    // Not `podman run`: crun refuses machines whose control groups are in hybrid mode, or that grant it no limits.
    async run(reference, [command = "/bin/sh", ...args]) {
      const mounted = await podman(["image", "mount", reference]);
      if (mounted.exitCode !== 0) return mounted;
      try {
        return await run("chroot", [mounted.stdout.trim(), command, ...args]);
      } finally {
        await podman(["image", "unmount", reference]);
      }
    },
    push: (reference, target) => podman(["push", "--tls-verify=false", reference, target]),
    inspect: (reference) => podman(["image", "inspect", reference]),
    async forget() {
      expectOk(await podman(["rmi", "--all", "--force"]));
    },
    [Symbol.asyncDispose]: async () => {
      await podman(["rmi", "--all", "--force"]);
    },
  };
}
