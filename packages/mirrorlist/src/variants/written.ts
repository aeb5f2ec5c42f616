import type { Moment } from "../selection/moment.ts";
import type { ServedManifest, Snapshot } from "../served/snapshot.ts";
import { MEMORY_BYTES, type Variant, weigh } from "./variants.ts";

/** What all variants hang on, apart from the client and the manifest. When any of it is another, all is written anew. */
export interface Basis {
  readonly snapshot: Snapshot;
  readonly moment: Moment;
  /** Of the looks at blobs on mirrors: how often one has shown less than the one before. */
  readonly setbacks: number;
}

/** What makes two clients get the same. */
export interface WrittenKey {
  readonly served: ServedManifest;
  /** Our own URL of the repository, as the client reaches us. */
  readonly own: string;
  /** Stands for its cohort and all that is near to it. */
  readonly kin: number;
}

/**
 * The variants that clients were given of late. They are the same ones as those that are kept by recipe and digest, as a
 * rule: the memory is used once.
 */
export interface Written {
  get(basis: Basis, key: WrittenKey, now: number): Variant | undefined;
  set(basis: Basis, key: WrittenKey, now: number, variant: Variant): void;
}

interface Entry {
  readonly variant: Variant;
  readonly at: number;
}

/** Milliseconds: as often as mirrors are probed. Those that are named are looked at again then, where it is time. */
const KEPT_MS = 60_000;

/** One in the other: of all three in one text, the hash would have to be found for each request. */
type Entries = Map<ServedManifest, Map<string, Map<number, Entry>>>;

export function createWritten(): Written {
  let basis: Basis | undefined;
  let variants: Entries = new Map();
  let bytes = 0;
  const clear = () => {
    variants = new Map();
    bytes = 0;
  };
  const isBasis = (other: Basis) =>
    basis?.snapshot === other.snapshot && basis.moment === other.moment && basis.setbacks === other.setbacks;
  return {
    get(current, { served, own, kin }, now) {
      if (!isBasis(current)) {
        basis = current;
        clear();
      }
      const known = variants.get(served)?.get(own)?.get(kin);
      return known !== undefined && now - known.at < KEPT_MS ? known.variant : undefined;
    },
    set(written, { served, own, kin }, now, variant) {
      // Something may have changed while it was written.
      if (!isBasis(written)) return;
      bytes += weigh(variant);
      // What there is would soon be written anew in any case.
      if (bytes > MEMORY_BYTES) clear();
      const ofManifest = variants.get(served) ?? new Map<string, Map<number, Entry>>();
      const ofUrl = ofManifest.get(own) ?? new Map<number, Entry>();
      variants.set(served, ofManifest.set(own, ofUrl.set(kin, { variant, at: now })));
    },
  };
}
