import { createLru } from "../lru.ts";
import type { Moment } from "../selection/moment.ts";
import type { Snapshot } from "../served/snapshot.ts";
import { MEMORY_BYTES, type Variant, weigh } from "./variants.ts";

/** What all variants hang on, apart from the client and the manifest. When any of it is another, all is written anew. */
export interface Basis {
  readonly snapshot: Snapshot;
  readonly moment: Moment;
  /** Of the looks at blobs on mirrors: how often one has shown less than the one before. */
  readonly setbacks: number;
}

/** The variants that clients were given of late, by whatever makes two clients get the same. */
export interface Written {
  get(basis: Basis, key: string, now: number): Variant | undefined;
  set(basis: Basis, key: string, now: number, variant: Variant): void;
}

interface Entry {
  readonly variant: Variant;
  readonly at: number;
}

/** Milliseconds: as often as mirrors are probed. Those that are named are looked at again then, where it is time. */
const KEPT_MS = 60_000;

export function createWritten(): Written {
  let basis: Basis | undefined;
  let variants = createEntries();
  const isBasis = (other: Basis) =>
    basis?.snapshot === other.snapshot && basis.moment === other.moment && basis.setbacks === other.setbacks;
  return {
    get(current, key, now) {
      if (!isBasis(current)) {
        basis = current;
        variants = createEntries();
      }
      const known = variants.get(key);
      return known !== undefined && now - known.at < KEPT_MS ? known.variant : undefined;
    },
    set(written, key, now, variant) {
      // Something may have changed while it was written.
      if (isBasis(written)) variants.set(key, { variant, at: now });
    },
  };
}

/** They hold the same variants as those that are kept by recipe and digest, as a rule: the memory is used once. */
const createEntries = () => createLru<string, Entry>(MEMORY_BYTES, ({ variant }) => weigh(variant));
