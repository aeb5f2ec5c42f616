import { hexOf } from "@nearlayer/shared/digest";
import { isNearlayerError, NearlayerError } from "@nearlayer/shared/errors";
import { ingestDir, storeBlobPath } from "@nearlayer/shared/tree";
import type { Pour } from "../pour.ts";
import { explainFull, hasBlob, mismatch, place, seal, type Wanted } from "./blob-file.ts";
import { type BlobLock, lockBlob } from "./blob-lock.ts";
import { type Download, openDownload } from "./download.ts";
import { ensureFolder, type FlushLater } from "./durable.ts";
import { announce } from "./info.ts";

/** Bytes from `offset` on: what was asked for, or 0 when the giver begins again. */
export interface Given {
  readonly offset: number;
  readonly pour: Pour;
}

/** Called with the offset from which bytes are needed; hands them to `write`, once or, after a break, again. */
export type Give = (offset: number, write: (given: Given) => Promise<void>) => Promise<void>;

export interface IngestOptions {
  /** Breaks the download off; what came stays for the next run. */
  readonly signal?: AbortSignal | undefined;
  /** Told how far the download is, in bytes from the blob's beginning: first where it starts, then with every piece. */
  readonly onOffset?: ((offset: number) => void) | undefined;
  /** Many blobs come: the folders are noted here, and flushed by whoever asked. */
  readonly flushLater?: FlushLater | undefined;
}

/**
 * Brings one blob into the store: writes it under `ingest/<hex>/`, hashing as it comes, and gives it its name only once
 * it is whole, right and flushed. What an earlier, killed run had written is hashed and kept; `give` is told from where
 * to go on. Workers that want the same blob, here or in another process, fetch it once: the others wait. Returns the
 * number of bytes that came.
 *
 * Throws SIZE_MISMATCH or DIGEST_MISMATCH (the next attempt then starts from nothing) and DISK_FULL.
 */
export async function ingest(root: string, wanted: Wanted, give: Give, options: IngestOptions = {}): Promise<number> {
  const isDone = () => hasBlob(root, wanted);
  if (await isDone()) return 0;
  try {
    await ensureFolder(ingestDir(root));
    await using lock = await lockBlob(root, hexOf(wanted.digest), isDone, options.signal);
    return lock === undefined ? 0 : await receive(lock, storeBlobPath(root, wanted.digest), wanted, give, options);
  } catch (error) {
    throw explainFull(error, root, wanted);
  }
}

async function receive(
  lock: BlobLock,
  path: string,
  wanted: Wanted,
  give: Give,
  options: IngestOptions,
): Promise<number> {
  const info = announce(lock.folder, wanted);
  using download = await openDownload(lock.folder, wanted.size);
  let received: number;
  try {
    received = await fill(download, wanted, give, options);
  } catch (error) {
    await info.end(download.offset > 0);
    // What came stays, for the next attempt to go on from; of nothing, nothing is kept.
    if (download.offset === 0) lock.clear();
    throw error;
  }
  await info.end(false);
  await seal(download.descriptor);
  await place(download.file, path, options.flushLater);
  lock.clear();
  return received;
}

/** Gets what is missing, until all is there and right. Returns how many bytes came. */
async function fill(download: Download, wanted: Wanted, give: Give, options: IngestOptions): Promise<number> {
  const resumed = download.offset;
  let received = await fetchRest(download, wanted, give, options);
  let actual = download.digest();
  if (actual !== wanted.digest && resumed > 0) {
    // What lay there was spoilt: that is not the source's fault, which gets its chance to give the whole.
    download.restart();
    received += await fetchRest(download, wanted, give, options);
    actual = download.digest();
  }
  if (actual !== wanted.digest) {
    download.restart();
    throw mismatch(wanted, actual);
  }
  download.check();
  return received;
}

async function fetchRest(download: Download, wanted: Wanted, give: Give, options: IngestOptions): Promise<number> {
  const { size = Number.POSITIVE_INFINITY, ref, digest } = wanted;
  let received = 0;
  const onOffset = (offset: number) => {
    if (offset > size) throw new NearlayerError("SIZE_MISMATCH", `${ref}: ${digest} has more than its ${size} bytes`);
    options.onOffset?.(offset);
  };
  onOffset(download.offset);
  // Killed just before it got its name.
  if (download.offset === size) return received;
  await give(download.offset, async ({ offset, pour }) => {
    if (offset !== download.offset) {
      if (offset !== 0) throw new Error(`asked for bytes from ${download.offset}, was given them from ${offset}`);
      download.restart();
    }
    try {
      await download.append(pour, { onOffset, signal: options.signal });
      received += download.offset - offset;
    } catch (error) {
      // Too long is wrong from the beginning, and nothing to go on from.
      if (isNearlayerError(error, "SIZE_MISMATCH")) download.restart();
      throw error;
    }
  });
  if (wanted.size !== undefined && download.offset !== wanted.size) {
    throw new NearlayerError("SIZE_MISMATCH", `${ref}: ended after ${download.offset} of ${size} bytes`);
  }
  return received;
}
