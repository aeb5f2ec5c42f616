import { startDockerd } from "../peers/dockerd.ts";
import { expectOk } from "../process/run.ts";
import { lines, platformArgs, type RunningClient } from "./client.ts";

/** Docker Engine with a daemon of its own. Registries on 127.0.0.0/8 are plain HTTP to it without being told. */
export async function startDockerClient(dir: string): Promise<RunningClient> {
  const { docker, stop } = await startDockerd({ dir });
  return {
    name: "docker",
    pull: (reference, options = {}) => docker(["pull", ...platformArgs(options), reference], options),
    run: (reference, command) => docker(["run", "--rm", "--network=none", reference, ...command]),
    async forget() {
      const { stdout } = expectOk(await docker(["images", "--all", "--quiet"]));
      const ids = [...new Set(lines(stdout))];
      if (ids.length > 0) expectOk(await docker(["rmi", "--force", ...ids]));
    },
    [Symbol.asyncDispose]: stop,
  };
}
