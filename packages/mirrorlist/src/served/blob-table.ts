import type { Digest } from "@nearlayer/shared/digest";
import type { Placement } from "../selection/exclude.ts";

/** What is known of a blob: its size, and the platforms of the tree that it is in. */
export interface ServedBlob {
  readonly size: number;
  readonly placements: readonly Placement[];
}

/** Every blob by digest, in about 50 bytes each, where a Map of objects takes 300: there may be a million. */
export interface BlobTable {
  get(digest: Digest): ServedBlob | undefined;
  readonly size: number;
}

export interface BlobTableBuilder {
  add(digest: Digest, size: number): void;
  /** Says that a blob is in a platform too; one that was not added is passed over. */
  place(digest: Digest, placement: Placement): void;
  build(): BlobTable;
}

/** A digest is 32 bytes, kept as eight words. */
const WORDS = 8;

const wordOf = (digest: Digest, word: number) => Number.parseInt(digest.slice(7 + word * 8, 15 + word * 8), 16);

/** A table with room for `capacity` blobs: open addressing over typed arrays, the digest's own bits as its hash. */
export function createBlobTable(capacity: number): BlobTableBuilder {
  let slots = 16;
  while (slots < capacity * 2) slots *= 2;
  const index = new Uint32Array(slots); // entry + 1; 0 is empty
  const keys = new Uint32Array(capacity * WORDS);
  const sizes = new Float64Array(capacity);
  const placed = new Uint32Array(capacity);
  const interned = createInterner();
  let count = 0;

  const isAt = (entry: number, digest: Digest) => {
    for (let word = 0; word < WORDS; word++) {
      if (keys[entry * WORDS + word] !== wordOf(digest, word)) return false;
    }
    return true;
  };
  /** The slot that holds the digest, or the empty one where it belongs. */
  const find = (digest: Digest): number => {
    let slot = wordOf(digest, 0) & (slots - 1);
    for (;;) {
      const entry = index[slot] ?? 0;
      if (entry === 0 || isAt(entry - 1, digest)) return slot;
      slot = (slot + 1) & (slots - 1);
    }
  };

  return {
    add(digest, size) {
      if (count >= capacity) throw new Error(`more than ${capacity} blobs`);
      const slot = find(digest);
      if (index[slot] !== 0) throw new Error(`a second blob ${digest}`);
      for (let word = 0; word < WORDS; word++) keys[count * WORDS + word] = wordOf(digest, word);
      sizes[count] = size;
      count += 1;
      index[slot] = count;
    },
    place(digest, placement) {
      const entry = (index[find(digest)] ?? 0) - 1;
      if (entry >= 0) placed[entry] = interned.append(placed[entry] ?? 0, placement);
    },
    build: () => ({
      get size() {
        return count;
      },
      get(digest) {
        const entry = (index[find(digest)] ?? 0) - 1;
        if (entry < 0) return undefined;
        return { size: sizes[entry] ?? 0, placements: interned.placementsOf(placed[entry] ?? 0) };
      },
    }),
  };
}

/** Lists of placements by number; 0 is the empty one. Most blobs share theirs: all that came with one generation do. */
function createInterner() {
  const lists: (readonly Placement[])[] = [[]];
  const ids = new Map<string, number>();
  return {
    /** The number of the list with one placement more. */
    append(id: number, placement: Placement): number {
      const key = `${id} ${placement.platform} ${placement.since}`;
      const known = ids.get(key);
      if (known !== undefined) return known;
      const next = lists.push([...(lists[id] ?? []), placement]) - 1;
      ids.set(key, next);
      return next;
    },
    placementsOf: (id: number): readonly Placement[] => lists[id] ?? [],
  };
}
