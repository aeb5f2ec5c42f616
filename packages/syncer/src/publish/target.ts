import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Catalog } from "@nearlayer/shared/catalog/open";
import { type Published, readPublished, recordPublished } from "@nearlayer/shared/catalog/published";
import type { Target } from "@nearlayer/shared/config/target";
import { NearlayerError } from "@nearlayer/shared/errors";
import type { Generation } from "@nearlayer/shared/generation";
import { ingestDir, pubDir } from "@nearlayer/shared/tree";
import { ensureFolder } from "../store/durable.ts";
import { choosePass, type Pass } from "./choose.ts";
import { addedNames, droppedNames, sortExtraneous } from "./names.ts";
import {
  deleteNames,
  deleteOldState,
  listExtraneous,
  type RsyncResult,
  type RsyncRun,
  type RsyncSettings,
  runRsync,
  sendAllBlobs,
  sendBlobs,
  sendState,
} from "./rsync.ts";
import { readShownAt } from "./shown.ts";
import type { Snapshot } from "./snapshot.ts";

/** How many old lists and deltas go at once; a platform has some two hundred at most. */
const MAX_OLD_STATE = 10_000;

/** What publishing to a target needs to know. */
export interface PublishContext {
  readonly catalog: Catalog;
  readonly root: string;
  /** What is published: the state of the tree when this began, and the generations that it shows. */
  readonly snapshot: Snapshot;
  readonly newest: readonly Generation[];
  readonly settings: RsyncSettings;
  readonly isForced: boolean;
  readonly fullEvery: number;
  /** How many blobs may be deleted. */
  readonly maxDelete: number;
  readonly now: Date;
}

/** What was done to a target. */
export interface PublishedTo {
  readonly pass: "nothing" | "changes" | "full";
  readonly files: number;
  readonly bytes: number;
  readonly deleted: number;
  /** Files at the target that are none of ours; they are left alone. */
  readonly foreign: number;
  /** Blobs that the target has, a generation holds, and our own tree has lost. */
  readonly lost: number;
}

/**
 * Brings one target up to date: blobs first, then lists, then GENERATION, deletions last. Throws PUBLISH_FAILED; what was
 * brought until then stays, and the next run goes on from there.
 */
export async function publishTo(context: PublishContext, target: Target): Promise<PublishedTo> {
  const { catalog, root, newest, now } = context;
  await ensureFolder(ingestDir(root));
  const scratch = await mkdtemp(join(ingestDir(root), "publish-"));
  try {
    const published = await readPublished(catalog, target.destination);
    const shown = await readShownAt(context, target, scratch);
    const pass = choosePass({ ...context, published, shown });
    if (pass.kind === "refused") throw refused(target, pass.reason);
    if (pass.kind === "nothing") return { pass: "nothing", files: 0, bytes: 0, deleted: 0, foreign: 0, lost: 0 };
    const result = await carryMarked(context, target, scratch, { pass, published });
    const before = new Map(published.map(({ platform, fullAt }) => [platform, fullAt]));
    const isFull = result.pass === "full";
    await recordPublished(
      catalog,
      target.destination,
      newest.map(({ platform, number }) => {
        const fullAt = (isFull ? undefined : before.get(platform)) ?? now.toISOString();
        return { platform, number, fullAt };
      }),
    );
    return result;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Longer ago than any `fullEvery`. */
const NEVER = new Date(0).toISOString();

/**
 * An rsync that is killed leaves a temporary file at the target, which only a full pass finds. So one is due from the
 * beginning of this until its orderly end, be it a failure: then rsync has cleaned up behind itself.
 */
async function carryMarked(
  context: PublishContext,
  target: Target,
  scratch: string,
  { pass, published }: { pass: Pass & { kind: "changes" | "full" }; published: readonly Published[] },
): Promise<PublishedTo> {
  const { catalog } = context;
  await recordPublished(
    catalog,
    target.destination,
    published.map((row) => ({ ...row, fullAt: NEVER })),
  );
  try {
    return await carry(context, target, scratch, pass);
  } catch (error) {
    await recordPublished(catalog, target.destination, published);
    throw error;
  }
}

async function carry(
  context: PublishContext,
  target: Target,
  scratch: string,
  pass: Pass & { kind: "changes" | "full" },
): Promise<PublishedTo> {
  const source = pubDir(context.root);
  const moved = { files: 0, bytes: 0 };
  const act = async (run: RsyncRun): Promise<RsyncResult> => {
    const result = await runRsync(run, target, context.settings);
    moved.files += result.files;
    moved.bytes += result.bytes;
    return result;
  };
  const names = pass.kind === "changes" ? await addedNames(context, pass.since) : undefined;
  if (names === undefined) await act(sendAllBlobs(source, target));
  else if (names.length > 0) await act(sendBlobs(source, target, names));
  const state = context.snapshot.folder;
  for (const run of sendState(state, target)) await act(run);

  const extraneous = names === undefined ? (await act(listExtraneous(source, target))).deleted : undefined;
  const { due, foreign, lost } = extraneous
    ? await sortExtraneous(context.catalog, extraneous)
    : { due: pass.kind === "changes" ? await droppedNames(context, pass.since) : [], foreign: 0, lost: 0 };
  await deleteBounded(context, target, scratch, due, act);
  const { deleted } = await act(deleteOldState(state, target, MAX_OLD_STATE));
  return {
    pass: names === undefined ? "full" : "changes",
    ...moved,
    deleted: due.length + deleted.length,
    foreign,
    lost,
  };
}

async function deleteBounded(
  { maxDelete }: PublishContext,
  target: Target,
  scratch: string,
  names: readonly string[],
  act: (run: RsyncRun) => Promise<RsyncResult>,
): Promise<void> {
  if (names.length === 0) return;
  if (names.length > maxDelete) {
    const message = `${target.destination}: ${names.length} files are to be deleted, more than ${maxDelete}: none was`;
    throw new NearlayerError("PUBLISH_FAILED", message, {
      hint: "the new blobs and their state are out; when that is what you want: `syncer publish --max-delete N`, or publish.maxDelete",
    });
  }
  // rsync deletes what it is told to send and does not find; the folders must be there, or it does not look.
  const empty = join(scratch, "empty");
  for (const folder of new Set(names.map(dirname))) await mkdir(join(empty, folder), { recursive: true });
  await act(deleteNames(empty, target, names, maxDelete));
}

function refused({ destination }: Target, reason: string): NearlayerError {
  return new NearlayerError("PUBLISH_FAILED", `${destination} is left alone: ${reason}`, {
    hint: "does another syncer publish there? `syncer publish --full` makes it what this tree is",
  });
}
