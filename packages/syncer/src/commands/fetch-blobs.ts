import { dirname } from "node:path";
import type { Digest } from "@nearlayer/shared/digest";
import { isDiskFull } from "@nearlayer/shared/exit";
import { storeBlobPath } from "@nearlayer/shared/tree";
import PQueue from "p-queue";
import type { PlannedBlob } from "../plan/plan.ts";
import type { Source } from "../source/source.ts";
import { hasBlob } from "../store/blob-file.ts";
import { syncFolders } from "../store/durable.ts";
import { carryBlob } from "./carry.ts";
import type { Run } from "./run.ts";

/** What came, and what did not. */
export interface FetchedBlobs {
  /** How many blobs came from the source, and their bytes. */
  readonly fetched: { readonly blobs: number; readonly bytes: number };
  readonly errors: ReadonlyMap<Digest, unknown>;
}

/** Which of the blobs the store has not got. */
export function missingBlobs<T extends PlannedBlob>(root: string, blobs: Iterable<T>): T[] {
  return [...blobs].filter((blob) => !hasBlob(root, { ...blob, ref: blob.repository }));
}

/**
 * Fetches every blob that the store has not got, `concurrency` at a time, and as many again that are being written out
 * meanwhile. One that fails does not hold up the others; only a full disk, and an interruption, stop them all: these are
 * thrown.
 */
export async function fetchBlobs(
  { root, run }: { readonly root: string; readonly run: Run },
  source: Source,
  blobs: Iterable<PlannedBlob>,
  concurrency: number,
): Promise<FetchedBlobs> {
  const { signal, progress } = run;
  const fetched = { blobs: 0, bytes: 0 };
  const errors = new Map<Digest, unknown>();
  const all = [...blobs];
  const missing = missingBlobs(root, all);
  // Of what is there already, too: who has brought it may not have come to that, or be dead.
  const flushLater = new Set(all.map(({ digest }) => dirname(storeBlobPath(root, digest))));
  progress.expect(
    missing.length,
    missing.reduce((sum, { size }) => sum + size, 0),
  );
  progress.phase("fetching");
  const queue = new PQueue({ concurrency: concurrency * 2 });
  let full: unknown;
  const carry = async (blob: PlannedBlob) => {
    if (signal.aborted || full !== undefined) return;
    const transfer = progress.begin(`${blob.repository}@${blob.digest}`, blob.size);
    try {
      const bytes = await carryBlob({ root, run, flushLater }, source, blob, transfer.at);
      if (bytes > 0) fetched.blobs += 1;
      fetched.bytes += bytes;
    } catch (error) {
      errors.set(blob.digest, error);
      if (!isDiskFull(error)) return;
      // The others would fail the same way: what is under way is cut off, and awaited; what is not, is not begun.
      full = error;
      await source.close();
    } finally {
      transfer.end();
    }
  };
  await queue.addAll(missing.map((blob) => () => carry(blob)));
  signal.throwIfAborted();
  if (full !== undefined) throw full;
  await syncFolders(flushLater);
  return { fetched, errors };
}
