import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, fromHex, type Hex } from "@nearlayer/shared/digest";
import { blobFolder, listDownloads, tryLockBlob } from "./blob-lock.ts";
import { readInfo } from "./info.ts";

/** A download under way, or one that was broken off and can be gone on with. */
export interface ActiveDownload {
  readonly digest: Digest;
  /** What it is for; a download of the last moment has not said yet. */
  readonly ref: string | undefined;
  /** Bytes that are there, of so many. */
  readonly offset: number;
  readonly total: number | undefined;
  /** When the one who is at it, or was last, began; ISO 8601. */
  readonly startedAt: string | undefined;
  readonly state: "running" | "stopped";
}

/** What is under way in the store, the oldest first. */
export async function listActive(root: string): Promise<ActiveDownload[]> {
  const found = await Promise.all((await listDownloads(root)).map((hex) => describe(root, hex)));
  return found
    .filter((download) => download !== undefined)
    .sort((a, b) => (a.startedAt ?? "~").localeCompare(b.startedAt ?? "~"));
}

async function describe(root: string, hex: Hex): Promise<ActiveDownload | undefined> {
  const folder = blobFolder(root, hex);
  const data = await stat(join(folder, "data")).catch(() => undefined);
  // It has ended since its name was read, or has just begun.
  if (data === undefined) return undefined;
  const info = await readInfo(folder);
  // Whoever works on it holds the lock; a lock that can be had is nobody's.
  await using lock = await tryLockBlob(root, hex);
  if (lock !== undefined && !existsSync(join(folder, "data"))) {
    lock.clear();
    return undefined;
  }
  return {
    digest: fromHex(hex),
    ref: info?.ref,
    offset: data.size,
    total: info?.total,
    startedAt: info?.startedAt,
    state: lock === undefined ? "running" : "stopped",
  };
}
