import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, isDigest } from "@nearlayer/shared/digest";
import type { Wanted } from "./blob-file.ts";

/** What stands beside a download under way, for `syncer active`. */
export interface DownloadInfo {
  readonly ref: string;
  readonly digest: Digest;
  /** Bytes; undefined where whoever gives the blob did not say. */
  readonly total: number | undefined;
  /** When the worker that has it now, or had it last, began; ISO 8601. */
  readonly startedAt: string;
}

/** How long a download may take before its info is written: most are over by then, and a file costs as much as they do. */
const ANNOUNCE_AFTER_MS = 200;

/** Writes the info beside a download that takes a while. `end` says that it has ended, and whether to keep the info. */
export function announce(folder: string, { ref, digest, size }: Wanted): { end(keep: boolean): Promise<void> } {
  const info = { ref, digest, ...(size === undefined ? {} : { total: size }), startedAt: new Date().toISOString() };
  let writing: Promise<void> | undefined;
  // It is for people to read; without it, the download is as good.
  const write = () => {
    writing ??= writeFile(join(folder, "info"), JSON.stringify(info)).catch(() => {});
  };
  const timer = setTimeout(write, ANNOUNCE_AFTER_MS);
  return {
    async end(keep) {
      clearTimeout(timer);
      if (keep) write();
      await writing;
    },
  };
}

/** What is told of a download, or undefined where that cannot be read. */
export async function readInfo(folder: string): Promise<DownloadInfo | undefined> {
  try {
    const info: unknown = JSON.parse(await readFile(join(folder, "info"), "utf8"));
    if (typeof info !== "object" || info === null) return undefined;
    const { ref, digest, total, startedAt } = info as Record<string, unknown>;
    if (typeof ref !== "string" || typeof digest !== "string" || !isDigest(digest)) return undefined;
    if (typeof startedAt !== "string") return undefined;
    return { ref, digest, total: typeof total === "number" ? total : undefined, startedAt };
  } catch {
    return undefined;
  }
}
