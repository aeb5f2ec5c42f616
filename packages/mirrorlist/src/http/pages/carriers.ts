import type { Mirror } from "../../mirrors/mirror.ts";
import { carriedUnder, type Placement } from "../../selection/exclude.ts";

/** How many mirrors can serve a blob. */
export type CountCarriers = (placements: readonly Placement[]) => number;

/**
 * Counts by what a redirect would go by, for a client that every mirror is open to. Cost: a look at each mirror for every
 * list of placements, and most blobs share theirs with all that came with the same generation.
 */
export function countCarriers(mirrors: readonly Mirror[], maxProbeAge: number, now: number): CountCarriers {
  const usable = mirrors.filter(({ disabled }) => !disabled);
  const known = new Map<readonly Placement[], number>();
  return (placements) => {
    let count = known.get(placements);
    if (count === undefined) {
      count = usable.filter((mirror) => carriedUnder(mirror, placements, maxProbeAge, now) !== undefined).length;
      known.set(placements, count);
    }
    return count;
  };
}
