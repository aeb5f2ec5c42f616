import type { Digest } from "@nearlayer/shared/digest";
import type { Seed } from "../selection/rendezvous.ts";
import { createSeedIndex } from "./seed-index.ts";

/** A layer of a manifest that was given to a puller, and the base URL of the mirror that it names first for it, if any. */
export interface GivenLayer {
  readonly layer: Digest;
  readonly mirror?: string;
}

/** The layers of a manifest, and when a puller was given it. */
export interface Gift {
  readonly layers: readonly GivenLayer[];
  /** Epoch milliseconds. */
  readonly at: number;
}

/** The last manifest of each puller that has not come back since; beyond the size, the oldest are forgotten. */
export interface Gifts {
  /** In the place of the one before. */
  put(puller: Seed, layers: readonly GivenLayer[], at: number): void;
  /** Undefined when there is none, or it was taken before. */
  take(puller: Seed): Gift | undefined;
}

/** Two generations, as in `lru.ts`, of typed arrays, for the reason that `attempt-table.ts` gives. */
export function createGifts(max: number): Gifts {
  let [young, old] = [createGeneration(Math.ceil(max / 2)), createGeneration(Math.ceil(max / 2))];
  return {
    put(puller, layers, at) {
      if (young.put(puller, layers, at)) return;
      [young, old] = [old, young];
      young.clear();
      young.put(puller, layers, at);
    },
    take: (puller) => young.take(puller) ?? old.take(puller),
  };
}

function createGeneration(capacity: number) {
  const index = createSeedIndex(capacity);
  const times = new Float64Array(capacity);
  const given: (readonly GivenLayer[] | undefined)[] = new Array(capacity).fill(undefined);
  return {
    /** False when there is no room for another one. */
    put(puller: Seed, layers: readonly GivenLayer[], at: number): boolean {
      const number = index.add(puller);
      if (number < 0) return false;
      times[number] = at;
      given[number] = layers;
      return true;
    },
    take(puller: Seed): Gift | undefined {
      const number = index.find(puller);
      const layers = number < 0 ? undefined : given[number];
      if (layers === undefined) return undefined;
      given[number] = undefined;
      return { layers, at: times[number] ?? 0 };
    },
    clear() {
      index.clear();
      given.fill(undefined);
    },
  };
}
