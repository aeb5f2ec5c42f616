import type { Scheme } from "@nearlayer/shared/config/schema";
import type { Mirror } from "../../mirrors/mirror.ts";
import { carriedUnder, excludeForClient, type Placement } from "../../selection/exclude.ts";

/** How many mirrors can serve a blob, of how many that somebody is sent to. */
export interface Carriers {
  readonly count: (placements: readonly Placement[]) => number;
  readonly total: number;
}

export interface CarriersOptions {
  readonly scheme: Scheme;
  /** As in a selection. */
  readonly maxProbeAge: number;
  readonly now: number;
}

/**
 * Counts by what a redirect would go by, for a client that every mirror is open to. Cost: a look at each mirror for every
 * list of placements, and most blobs share theirs with all that came with the same generation.
 */
export function countCarriers(mirrors: readonly Mirror[], { scheme, maxProbeAge, now }: CarriersOptions): Carriers {
  const inUse = mirrors.filter((mirror) => {
    const [country] = mirror.countries ?? [];
    const [family = "ipv4"] = mirror.families ?? [];
    const asker = { country, family, refusesHttp: false, scheme } as const;
    return excludeForClient(mirror, { kind: "netblock", bits: 0 }, asker) === undefined;
  });
  const known = new Map<readonly Placement[], number>();
  const count = (placements: readonly Placement[]): number => {
    const before = known.get(placements);
    if (before !== undefined) return before;
    const found = inUse.filter((mirror) => carriedUnder(mirror, placements, maxProbeAge, now) !== undefined).length;
    known.set(placements, found);
    return found;
  };
  return { count, total: inUse.length };
}
