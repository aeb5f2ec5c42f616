import { setImmediate as yieldToOthers } from "node:timers/promises";
import type { Digest } from "@nearlayer/shared/digest";
import { type BlobTable, createBlobTable, type ServedBlob } from "./blob-table.ts";

/** A large table, and what has changed since it was built: a change costs as much as those before it, not as the table. */
export interface LayeredBlobs extends BlobTable {
  readonly base: BlobTable;
  readonly changes: ReadonlyMap<Digest, ServedBlob>;
}

/** How many changes make a new table worth its while. To copy so many takes about a millisecond. */
const MERGE_AT = 20_000;

/** How many blobs are copied before others get their turn: a few milliseconds' worth. */
const SLICE = 10_000;

export function layered(base: BlobTable, changes: ReadonlyMap<Digest, ServedBlob> = new Map()): LayeredBlobs {
  return {
    base,
    changes,
    // The new ones among the changes are not told from the others: it is for capacities and for people.
    size: base.size + changes.size,
    get: (digest) => changes.get(digest) ?? base.get(digest),
  };
}

/** The same blobs with these changes. Nothing of `blobs` is altered. */
export async function withChanges(
  blobs: LayeredBlobs,
  changes: ReadonlyMap<Digest, ServedBlob>,
  mergeAt = MERGE_AT,
): Promise<LayeredBlobs> {
  if (changes.size === 0) return blobs;
  const all = new Map([...blobs.changes, ...changes]);
  return all.size > mergeAt ? merge(blobs.base, all) : layered(blobs.base, all);
}

async function merge(base: BlobTable, changes: ReadonlyMap<Digest, ServedBlob>): Promise<LayeredBlobs> {
  const builder = createBlobTable(base.size + changes.size, base);
  for (let start = 0; start < base.size; start += SLICE) {
    builder.copy(start, start + SLICE);
    await yieldToOthers();
  }
  let count = 0;
  for (const [digest, blob] of changes) {
    builder.set(digest, blob);
    if (++count % SLICE === 0) await yieldToOthers();
  }
  return layered(builder.build());
}
