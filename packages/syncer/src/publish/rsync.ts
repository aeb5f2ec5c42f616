import type { Target } from "@nearlayer/shared/config/target";
import { messageOf, NearlayerError } from "@nearlayer/shared/errors";
import { STATE_DIR } from "@nearlayer/shared/tree";
import { execa } from "execa";
import Rsync from "rsync";

/** What one run of rsync moved. */
export interface RsyncResult {
  /** Regular files whose content was sent, and their size together in bytes. */
  readonly files: number;
  readonly bytes: number;
  readonly deleted: number;
}

/** How long a target may be silent, in seconds. */
const IO_TIMEOUT_S = 300;

/** What rsync's exit codes mean (rsync(1), "EXIT VALUES"), as far as they tell an operator something. */
const EXIT_MEANINGS: Readonly<Record<number, string>> = {
  1: "syntax or usage error",
  2: "the two rsyncs do not understand each other",
  3: "a folder or file could not be selected",
  5: "the daemon refused: unknown module, read only, or not authorised",
  10: "the connection failed",
  11: "file I/O failed, perhaps a full disk",
  12: "the connection broke",
  13: "a program diagnostic",
  14: "inter-process communication failed",
  20: "stopped by a signal",
  22: "out of memory",
  23: "some files were not transferred",
  24: "some files vanished while they were read",
  25: "more was to be deleted than allowed",
  30: "the other side was silent too long",
  35: "the daemon did not answer in time",
};

/** The stages of publishing, in their order: a mirror never sees state whose blobs it has not got. */
export const STAGES = ["blobs", "state"] as const;
export type Stage = (typeof STAGES)[number];

/**
 * The arguments of rsync for a stage. The library writes the list; no shell ever sees it, and destinations were checked
 * when the configuration was read, so that nothing in it needs escaping.
 */
export function rsyncArguments(source: string, { destination }: Target, stage: Stage): string[] {
  const rsync = new Rsync()
    .flags("rtpOH")
    // A blob's name tells its content: same name and size, same file. State is compared by time too.
    .set("timeout", String(IO_TIMEOUT_S))
    .set("stats")
    .set("no-human-readable")
    // A twin that lies far ahead in the list is still found to be a hardlink.
    .set("no-inc-recursive");
  if (stage === "blobs") {
    return rsync.set("size-only").set("exclude", `/${STATE_DIR}/`).source(`${source}/`).destination(destination).args();
  }
  return rsync.set("delete-after").source(`${source}/${STATE_DIR}/`).destination(`${destination}${STATE_DIR}/`).args();
}

/**
 * Runs one stage towards one target. Throws PUBLISH_FAILED with rsync's own words and what its exit code means.
 */
export async function runRsync(source: string, target: Target, stage: Stage): Promise<RsyncResult> {
  const result = await execa("rsync", rsyncArguments(source, target, stage), {
    reject: false,
    stdin: "ignore",
    env: { LC_ALL: "C" },
    maxBuffer: 1_000_000,
  });
  if (result.exitCode === 0) return parseStats(result.stdout);
  const words = result.stderr
    .trim()
    .split("\n")
    .filter((line) => !line.startsWith("rsync error:"));
  const said = words.at(-1) ?? messageOf(result.cause ?? result);
  const code = result.exitCode;
  const meaning = code === undefined ? "rsync did not run" : `${EXIT_MEANINGS[code] ?? "unknown"}, exit ${code}`;
  throw new NearlayerError("PUBLISH_FAILED", `rsync to ${target.destination} (${stage}): ${said} [${meaning}]`, {
    ...(code === undefined ? { hint: "install rsync" } : {}),
  });
}

/** Reads the summary that `--stats` prints. */
export function parseStats(text: string): RsyncResult {
  const number = (pattern: RegExp) => Number(pattern.exec(text)?.[1]?.replaceAll(",", "") ?? 0);
  return {
    files: number(/^Number of regular files transferred: ([\d,]+)/m),
    bytes: number(/^Total transferred file size: ([\d,]+)/m),
    deleted: number(/^Number of deleted files: ([\d,]+)/m),
  };
}
