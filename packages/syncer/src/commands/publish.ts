import type { Config } from "@nearlayer/shared/config/schema";
import type { Target } from "@nearlayer/shared/config/target";
import { messageOf, NearlayerError } from "@nearlayer/shared/errors";
import { pubDir } from "@nearlayer/shared/tree";
import { restoreState } from "../publish/generations.ts";
import { runRsync, STAGES } from "../publish/rsync.ts";
import { ensureFolder } from "../store/durable.ts";
import { withStore } from "./context.ts";

/** What became of one target. */
export type TargetResult = { readonly destination: string } & (
  | { readonly ok: true; readonly files: number; readonly bytes: number; readonly deleted: number }
  | { readonly ok: false; readonly message: string }
);

export interface PublishResult {
  readonly targets: readonly TargetResult[];
}

/** Carries the tree to all targets side by side; one that fails does not hold up the others. */
export async function publish(config: Config): Promise<PublishResult> {
  const { targets } = config.publish;
  if (targets.length === 0) {
    throw new NearlayerError("CONFIG_INVALID", "publish.targets is empty: there is nowhere to publish to", {
      hint: 'add `publish: {targets: ["rsync://master.example.org/containers/"]}` to the configuration',
    });
  }
  return withStore(config, "syncer publish", async ({ catalog, root, signer }) => {
    await ensureFolder(pubDir(root));
    await restoreState(catalog, root, signer);
    return { targets: await Promise.all(targets.map((target) => publishTo(pubDir(root), target))) };
  });
}

async function publishTo(source: string, target: Target): Promise<TargetResult> {
  const { destination } = target;
  const moved = { files: 0, bytes: 0, deleted: 0 };
  try {
    for (const stage of STAGES) {
      const { files, bytes, deleted } = await runRsync(source, target, stage);
      moved.files += files;
      moved.bytes += bytes;
      moved.deleted += deleted;
    }
    return { destination, ok: true, ...moved };
  } catch (error) {
    return { destination, ok: false, message: messageOf(error) };
  }
}
