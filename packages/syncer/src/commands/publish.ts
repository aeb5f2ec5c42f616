import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { isKnownGeneration } from "@nearlayer/shared/catalog/served";
import type { Config } from "@nearlayer/shared/config/schema";
import type { Target } from "@nearlayer/shared/config/target";
import { isNearlayerError, messageOf, NearlayerError } from "@nearlayer/shared/errors";
import { ingestDir } from "@nearlayer/shared/tree";
import { isStateShown, restoreState } from "../publish/generations.ts";
import type { RsyncSettings } from "../publish/rsync.ts";
import { type Snapshot, takeSnapshot } from "../publish/snapshot.ts";
import { sshCommand } from "../publish/ssh.ts";
import { type PublishContext, type PublishedTo, publishTo } from "../publish/target.ts";
import { ensureFolder } from "../store/durable.ts";
import { lockStore } from "../store/lock.ts";
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

/**
 * Carries the tree, as it is now, to all targets side by side; one that fails does not hold up the others. However long
 * that takes, syncs go on meanwhile: what they make is for the next run.
 */
export async function publish(
  config: Config,
  options: PublishOptions = {},
  run: Run = UNATTENDED,
): Promise<PublishResult> {
  const targets = requireTargets(config);
  const work = async (context: StoreContext) => {
    run.progress.phase("publishing");
    await restoreIfNeeded(context);
    await ensureFolder(ingestDir(context.root));
    const scratch = await mkdtemp(join(ingestDir(context.root), "publish-"));
    try {
      return await publishToAll(config, options, context, await takeSnapshot(context.root, scratch), targets);
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  };
  return withStore(config, "syncer publish", work, run, "tree");
}

/**
 * Shows what a run that was killed has left undone. Whoever has the store's lock has done that already, and may be just
 * about to show more.
 */
async function restoreIfNeeded({ catalog, root, signer }: StoreContext): Promise<void> {
  if (await isStateShown(catalog, root, signer)) return;
  try {
    await using _lock = await lockStore(root, "syncer publish");
    await restoreState(catalog, root, signer);
  } catch (error) {
    if (!isNearlayerError(error, "STORE_LOCKED")) throw error;
  }
}

async function publishToAll(
  config: Config,
  options: PublishOptions,
  { catalog, root, run }: StoreContext,
  snapshot: Snapshot,
  targets: readonly Target[],
): Promise<PublishResult> {
  const newest = [...snapshot.shown.values()].map(({ generation }) => generation);
  if (newest.length === 0) {
    throw new NearlayerError("PUBLISH_FAILED", "there is nothing to publish: no generation has been made yet", {
      hint: "run `syncer sync` first; when you did, see whether catalog and root are the right ones",
    });
  }
  for (const generation of newest) {
    if (await isKnownGeneration(catalog, generation)) continue;
    const what = `generation ${generation.number} of ${generation.platform}`;
    throw new NearlayerError("PUBLISH_FAILED", `the tree shows ${what}, which this catalog has not made`, {
      hint: "see whether catalog and root belong together; `syncer sync` shows what the catalog has",
    });
  }
  const files = newest.reduce((sum, generation) => sum + generation.files, 0);
  const context = {
    ...{ catalog, root, snapshot, newest, now: new Date() },
    isForced: options.full ?? false,
    fullEvery: config.publish.fullEvery,
    maxDelete: options.maxDelete ?? config.publish.maxDelete ?? Math.max(MIN_MAX_DELETE, Math.ceil(files / 10)),
  };
  let done = 0;
  run.progress.count(done, `of ${targets.length} targets done`);
  const settings = targets.map((target) => rsyncSettingsOf(config, target, run));
  // All of them are awaited, whatever becomes of one: the tree stays locked for as long as it is read.
  const settled = await Promise.allSettled(
    targets.map(async (target, index) => {
      const result = await tryTarget({ ...context, settings: settings[index] ?? {} }, target);
      done += 1;
      run.progress.count(done, `of ${targets.length} targets done`);
      return result;
    }),
  );
  return {
    targets: settled.map((result) => {
      if (result.status === "fulfilled") return result.value;
      throw result.reason;
    }),
  };
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
