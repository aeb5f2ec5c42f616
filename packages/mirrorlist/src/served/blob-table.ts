import type { Digest } from "@nearlayer/shared/digest";
import type { Placement } from "../selection/exclude.ts";
import { createPlacementLists, type PlacementLists } from "./placement-lists.ts";

/** What is known of a blob: its size, and the platforms of the tree that it is in, by name. */
export interface ServedBlob {
  readonly size: number;
  readonly placements: readonly Placement[];
}

/** Every blob by digest. */
export interface BlobTable {
  get(digest: Digest): ServedBlob | undefined;
  readonly size: number;
}

/** A table that is being filled; what `build` gives does not change any more, and nothing may be added after it. */
export interface BlobTableBuilder {
  /** Adds a blob that is in no platform, or gives one that is there another size. */
  add(digest: Digest, size: number): void;
  /** Says that a blob is in one platform more; one that was not added is passed over. */
  place(digest: Digest, placement: Placement): void;
  /** Adds a blob, or puts it in the place of what was known of it. */
  set(digest: Digest, blob: ServedBlob): void;
  /** Takes over the blobs from number `start` on, to `end` at most, of the table that this one follows. */
  copy(start: number, end: number): void;
  build(): BlobTable;
}

/** A digest is 32 bytes, kept as eight words. */
const WORDS = 8;

/** The value of a hexadecimal digit, by its character code. */
const NIBBLES = Uint8Array.from({ length: 128 }, (_, code) => Number.parseInt(String.fromCharCode(code), 16) || 0);

/** The digest that is looked for, as words: there is one thread, and no lookup is left half done. */
const wanted = new Uint32Array(WORDS);

function readWords(digest: Digest): void {
  let at = digest.length - WORDS * 8;
  for (let word = 0; word < WORDS; word += 1) {
    let value = 0;
    for (let digit = 0; digit < 8; digit += 1) value = (value << 4) | (NIBBLES[digest.charCodeAt(at++)] ?? 0);
    wanted[word] = value;
  }
}

interface Columns {
  readonly keys: Uint32Array;
  readonly sizes: Float64Array;
  /** Numbers of lists of placements. */
  readonly placed: Uint32Array;
  readonly lists: PlacementLists;
}

const columnsOf = new WeakMap<BlobTable, Columns>();

/**
 * A table with room for `capacity` blobs, in about 55 bytes each, where a Map of objects takes 300: there may be a
 * million. Open addressing over typed arrays, the digest's own bits as its hash. `previous` is the table that it follows.
 */
export function createBlobTable(capacity: number, previous?: BlobTable): BlobTableBuilder {
  const from = previous && columnsOf.get(previous);
  const lists = from?.lists ?? createPlacementLists();
  let slots = 16;
  while (slots < capacity * 2) slots *= 2;
  const index = new Uint32Array(slots); // entry + 1; 0 is empty
  const keys = new Uint32Array(capacity * WORDS);
  const sizes = new Float64Array(capacity);
  const placed = new Uint32Array(capacity);
  let count = 0;

  const isAt = (entry: number) => {
    for (let word = 0; word < WORDS; word += 1) if (keys[entry * WORDS + word] !== wanted[word]) return false;
    return true;
  };
  /** The slot that holds what is wanted, or the empty one where it belongs. */
  const findWanted = (): number => {
    let slot = (wanted[0] ?? 0) & (slots - 1);
    for (;;) {
      const entry = index[slot] ?? 0;
      if (entry === 0 || isAt(entry - 1)) return slot;
      slot = (slot + 1) & (slots - 1);
    }
  };
  const entryOf = (digest: Digest): number => {
    readWords(digest);
    return (index[findWanted()] ?? 0) - 1;
  };
  const addWanted = (): number => {
    const slot = findWanted();
    const known = (index[slot] ?? 0) - 1;
    if (known >= 0) return known;
    if (count >= capacity) throw new Error(`more than ${capacity} blobs`);
    keys.set(wanted, count * WORDS);
    index[slot] = count + 1;
    return count++;
  };
  const add = (digest: Digest, size: number): number => {
    readWords(digest);
    const entry = addWanted();
    sizes[entry] = size;
    return entry;
  };

  return {
    add,
    place(digest, placement) {
      const entry = entryOf(digest);
      if (entry >= 0) placed[entry] = lists.append(placed[entry] ?? 0, placement);
    },
    set(digest, { size, placements }) {
      placed[add(digest, size)] = placements.reduce(lists.append, 0);
    },
    copy(start, end) {
      if (from === undefined || previous === undefined) throw new Error("there is no table to copy from");
      for (let entry = start; entry < Math.min(end, previous.size); entry += 1) {
        for (let word = 0; word < WORDS; word += 1) wanted[word] = from.keys[entry * WORDS + word] ?? 0;
        const own = addWanted();
        sizes[own] = from.sizes[entry] ?? 0;
        placed[own] = from.placed[entry] ?? 0;
      }
    },
    build() {
      const table: BlobTable = {
        size: count,
        get(digest) {
          const entry = entryOf(digest);
          if (entry < 0) return undefined;
          return { size: sizes[entry] ?? 0, placements: lists.placementsOf(placed[entry] ?? 0) };
        },
      };
      columnsOf.set(table, { keys, sizes, placed, lists });
      return table;
    },
  };
}
