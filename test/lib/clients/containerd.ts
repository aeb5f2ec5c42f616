import { startContainerd } from "../peers/containerd.ts";
import { expectOk } from "../process/run.ts";
import { type Client, lines, platformArgs } from "./client.ts";

/** containerd with a daemon of its own, driven by ctr. */
export async function startContainerdClient(dir: string): Promise<Client> {
  const { ctr, stop } = await startContainerd({ dir });
  const pull = ["images", "pull", "--plain-http", "--snapshotter", "native"];
  return {
    name: "containerd",
    pull: (reference, options = {}) => ctr([...pull, ...platformArgs(options), reference], options),
    async forget() {
      const references = lines(expectOk(await ctr(["images", "list", "--quiet"])).stdout);
      // --sync waits until the content is gone as well.
      if (references.length > 0) expectOk(await ctr(["images", "remove", "--sync", ...references]));
    },
    [Symbol.asyncDispose]: stop,
  };
}
