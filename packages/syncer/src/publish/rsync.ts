import type { Target } from "@nearlayer/shared/config/target";
import { NearlayerError } from "@nearlayer/shared/errors";
import { STATE_DIR } from "@nearlayer/shared/tree";
import { execa } from "execa";
import Rsync from "rsync";
import { explainRsync } from "./failure.ts";

/** How long a target may be silent, in seconds. */
const IO_TIMEOUT_S = 300;

/** One run of rsync: its arguments, and the names that it reads from its standard input. */
export interface RsyncRun {
  /** What it is for, to people. */
  readonly what: string;
  readonly args: readonly string[];
  readonly names?: readonly string[];
}

/** What one run of rsync moved. */
export interface RsyncResult {
  /** Regular files whose content was sent, and their size together in bytes. */
  readonly files: number;
  readonly bytes: number;
  /** What was deleted, or with a dry run would be, as paths below the destination. */
  readonly deleted: readonly string[];
}

/** What all runs have in common. */
export interface RsyncSettings {
  readonly passwordFile?: string | undefined;
  /** The value of RSYNC_RSH. */
  readonly shell?: string | undefined;
  /** Ends rsync when it is aborted. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The arguments that the library writes, without a source and a destination: those it would escape for a shell, which
 * never sees them.
 */
const options = () => new Rsync().set("timeout", String(IO_TIMEOUT_S)).set("stats").set("no-human-readable");

type Options = ReturnType<typeof options>;

const run = (
  what: string,
  rsync: Options,
  source: string,
  destination: string,
  names?: readonly string[],
): RsyncRun => ({
  what,
  args: [...rsync.args(), source, destination],
  ...(names === undefined ? {} : { names }),
});

const fromNames = (rsync: Options) => rsync.set("from0").set("files-from", "-");

/** All blobs that the target has not got. Name and size tell a blob's content, so that nothing else is looked at. */
export function sendAllBlobs(source: string, { destination }: Target): RsyncRun {
  // Without incremental recursion, a twin that lies far ahead in the list is still found to be a hardlink.
  const rsync = options().flags("rtpOH").set("size-only").set("no-inc-recursive").set("exclude", `/${STATE_DIR}/`);
  return run("blobs", rsync, `${source}/`, destination);
}

/** The blobs with these names; hardlinked twins are to be among them. The cost follows the names, not the tree. */
export function sendBlobs(source: string, { destination }: Target, names: readonly string[]): RsyncRun {
  return run("blobs", fromNames(options().flags("tpOH").set("size-only")), `${source}/`, destination, names);
}

/**
 * Lists and deltas, and in a run of its own, after them, GENERATION, by its content: two can have one size and second.
 * `state` is a folder that holds `zz-state/`: the tree, or a snapshot of it.
 */
export function sendState(state: string, { destination }: Target): RsyncRun[] {
  const [from, to] = [`${state}/${STATE_DIR}/`, `${destination}${STATE_DIR}/`];
  return [
    run("lists", options().flags("rtpO").exclude("GENERATION"), from, to),
    run("GENERATION", options().flags("rtpOc").include("/*/").include("/*/GENERATION").exclude("*"), from, to),
  ];
}

/** Deletes lists and deltas that are no longer in the tree. */
export function deleteOldState(state: string, { destination }: Target, limit: number): RsyncRun {
  const rsync = deletion(limit).flags("r").set("delete-after");
  return run("deletion of old state", rsync, `${state}/${STATE_DIR}/`, `${destination}${STATE_DIR}/`);
}

/** What the target has and the tree has not. Nothing is changed. */
export function listExtraneous(source: string, { destination }: Target): RsyncRun {
  const rsync = deletion().flags("rn").set("delete").set("exclude", `/${STATE_DIR}/`);
  return run("comparison", rsync, `${source}/`, destination);
}

/** Deletes these files and nothing else. `empty` is a folder that has their folders and nothing in them. */
export function deleteNames(empty: string, { destination }: Target, names: readonly string[], limit: number): RsyncRun {
  const rsync = fromNames(deletion(limit).set("delete-missing-args"));
  return run("deletion", rsync, `${empty}/`, destination, names);
}

function deletion(limit?: number): Options {
  const rsync = options().flags("i").set("existing").set("ignore-existing");
  return limit === undefined ? rsync : rsync.set("max-delete", String(limit));
}

/** Fetches the GENERATION files that the target shows. */
export function readState({ destination }: Target, into: string): RsyncRun {
  const rsync = options().flags("rt").include("/*/").include("/*/GENERATION").exclude("*");
  return run("reading its state", rsync, `${destination}${STATE_DIR}/`, `${into}/`);
}

/**
 * Runs rsync, without a shell. Throws PUBLISH_FAILED with rsync's own words and what its exit code means; the exit code
 * stands in `cause`.
 */
export async function runRsync(
  { what, args, names }: RsyncRun,
  target: Target,
  { passwordFile, shell, signal }: RsyncSettings = {},
): Promise<RsyncResult> {
  const all =
    passwordFile === undefined || target.kind !== "daemon" ? args : [`--password-file=${passwordFile}`, ...args];
  const result = await execa("rsync", all, {
    reject: false,
    ...(signal === undefined ? {} : { cancelSignal: signal }),
    ...(names === undefined ? { stdin: "ignore" as const } : { input: names.join("\0") }),
    env: { LC_ALL: "C", ...(shell === undefined ? {} : { RSYNC_RSH: shell }) },
    // A listing of what is to be deleted names every file.
    maxBuffer: 500_000_000,
  });
  if (result.exitCode === 0) return parseResult(result.stdout);
  const { message, hint } = explainRsync(result.exitCode, result.stderr, result.shortMessage ?? "did not run");
  throw new NearlayerError("PUBLISH_FAILED", `rsync to ${target.destination} (${what}): ${message}`, {
    ...(hint === undefined ? {} : { hint }),
    cause: new RsyncExit(result.exitCode, result.stderr),
  });
}

/** How rsync ended, for those who decide on it. */
export class RsyncExit extends Error {
  readonly exitCode: number | undefined;

  constructor(exitCode: number | undefined, stderr: string) {
    super(stderr.trim());
    this.exitCode = exitCode;
  }
}

/** Reads the summary that `--stats` prints, and the names of what was deleted. */
export function parseResult(text: string): RsyncResult {
  const number = (pattern: RegExp) => Number(pattern.exec(text)?.[1]?.replaceAll(",", "") ?? 0);
  return {
    files: number(/^Number of regular files transferred: ([\d,]+)/m),
    bytes: number(/^Total transferred file size: ([\d,]+)/m),
    deleted: [...text.matchAll(/^\*deleting +(.+)$/gm)].flatMap(([, name]) => (name === undefined ? [] : [name])),
  };
}
