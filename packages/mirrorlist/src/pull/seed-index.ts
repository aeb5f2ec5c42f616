import type { Seed } from "../selection/rendezvous.ts";

/** Numbers, from 0 on in the order of their coming, for up to `capacity` seeds: each is the place of what belongs to it. */
export interface SeedIndex {
  /** -1 when it has none. */
  find(seed: Seed): number;
  /** The number that it has or is given; -1 when there is no room for another one. */
  add(seed: Seed): number;
  clear(): void;
}

/** Open addressing over typed arrays, with the seed's own bits as its hash. */
export function createSeedIndex(capacity: number): SeedIndex {
  let slots = 16;
  while (slots < capacity * 2) slots *= 2;
  const index = new Uint32Array(slots); // number + 1; 0 is empty
  const seeds = new Uint32Array(capacity * 2);
  let count = 0;

  /** The slot that holds the seed, or the empty one where it belongs. */
  const slotOf = (seed: Seed): number => {
    // Taken out by their places: to take an array apart in one costs as much as all the rest.
    const a = seed[0];
    const b = seed[1];
    let slot = a & (slots - 1);
    for (;;) {
      const number = (index[slot] ?? 0) - 1;
      if (number < 0 || (seeds[number * 2] === a && seeds[number * 2 + 1] === b)) return slot;
      slot = (slot + 1) & (slots - 1);
    }
  };
  return {
    find: (seed) => (index[slotOf(seed)] ?? 0) - 1,
    add(seed) {
      const slot = slotOf(seed);
      const known = (index[slot] ?? 0) - 1;
      if (known >= 0 || count === capacity) return known;
      seeds[count * 2] = seed[0];
      seeds[count * 2 + 1] = seed[1];
      index[slot] = count + 1;
      return count++;
    },
    clear() {
      index.fill(0);
      count = 0;
    },
  };
}
