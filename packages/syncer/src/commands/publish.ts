import { latestGenerations } from "@nearlayer/shared/catalog/generations";
import type { Config } from "@nearlayer/shared/config/schema";
import type { Target } from "@nearlayer/shared/config/target";
import { isNearlayerError, messageOf, NearlayerError } from "@nearlayer/shared/errors";
import { restoreState } from "../publish/generations.ts";
import type { RsyncSettings } from "../publish/rsync.ts";
import { sshCommand } from "../publish/ssh.ts";
import { type PublishContext, type PublishedTo, publishTo } from "../publish/target.ts";
import { type StoreContext, withStore } from "./context.ts";
import { type Run, UNATTENDED } from "./run.ts";

/** What became of one target. */
export type TargetResult = { readonly destination: string } & (
  | ({ readonly ok: true } & PublishedTo)
  | { readonly ok: false; readonly message: string; readonly hint?: string }
);

export interface PublishResult {
  readonly targets: readonly TargetResult[];
}

export interface PublishOptions {
  /** Compare the whole tree, whatever is known of a target; it also replaces what another syncer left there. */
  readonly full?: boolean;
  /** How many files may be deleted, for this run. */
  readonly maxDelete?: number;
}

/** Up to this many files may always be deleted. */
const MIN_MAX_DELETE = 1000;

/** Carries the tree to all targets side by side; one that fails does not hold up the others. */
export async function publish(
  config: Config,
  options: PublishOptions = {},
  run: Run = UNATTENDED,
): Promise<PublishResult> {
  const { fullEvery } = config.publish;
  const targets = requireTargets(config);
  const work = async ({ catalog, root, signer }: StoreContext) => {
    run.progress.phase("publishing");
    await restoreState(catalog, root, signer);
    const newest = await latestGenerations(catalog);
    if (newest.length === 0) {
      throw new NearlayerError("PUBLISH_FAILED", "there is nothing to publish: no generation has been made yet", {
        hint: "run `syncer sync` first; when you did, see whether catalog and root are the right ones",
      });
    }
    const files = newest.reduce((sum, generation) => sum + generation.files, 0);
    const maxDelete = options.maxDelete ?? config.publish.maxDelete ?? Math.max(MIN_MAX_DELETE, Math.ceil(files / 10));
    const isForced = options.full ?? false;
    const now = new Date();
    const context = { catalog, root, newest, isForced, fullEvery, maxDelete, now };
    const settings = targets.map((target) => rsyncSettingsOf(config, target, run));
    // All of them are awaited, whatever becomes of one: the store stays locked for as long as it is read.
    const settled = await Promise.allSettled(
      targets.map((target, index) => tryTarget({ ...context, settings: settings[index] ?? {} }, target)),
    );
    return {
      targets: settled.map((result) => {
        if (result.status === "fulfilled") return result.value;
        throw result.reason;
      }),
    };
  };
  return withStore(config, "syncer publish", work, run);
}

/** Throws CONFIG_INVALID where there is no target. */
export function requireTargets({ publish: { targets } }: Config): readonly Target[] {
  if (targets.length > 0) return targets;
  throw new NearlayerError("CONFIG_INVALID", "publish.targets is empty: there is nowhere to publish to", {
    hint: 'add `publish: {targets: ["rsync://master.example.org/containers/"]}` to the configuration',
  });
}

export function rsyncSettingsOf({ publish: { ssh, passwordFile } }: Config, target: Target, run: Run): RsyncSettings {
  return { passwordFile, signal: run.signal, ...(target.kind === "ssh" ? { shell: sshCommand(ssh) } : {}) };
}

async function tryTarget(context: PublishContext, target: Target): Promise<TargetResult> {
  const { destination } = target;
  try {
    return { destination, ok: true, ...(await publishTo(context, target)) };
  } catch (error) {
    if (!isNearlayerError(error)) throw error;
    return { destination, ok: false, message: messageOf(error), ...(error.hint ? { hint: error.hint } : {}) };
  }
}
