import type { Platform } from "@nearlayer/shared/platform";
import type { Placement } from "../selection/exclude.ts";

/** Lists of placements by number; 0 is the empty one. Most blobs share theirs: all that came with one generation do. */
export interface PlacementLists {
  /** The number of the list with one placement more. */
  readonly append: (list: number, placement: Placement) => number;
  placementsOf(list: number): readonly Placement[];
}

export function createPlacementLists(): PlacementLists {
  const lists: (readonly Placement[])[] = [[]];
  const longer: Map<Platform, Map<number, number>>[] = [];
  return {
    append(list, placement) {
      const { platform, since } = placement;
      const ofList = longer[list] ?? new Map<Platform, Map<number, number>>();
      longer[list] = ofList;
      const ofPlatform = ofList.get(platform) ?? new Map<number, number>();
      ofList.set(platform, ofPlatform);
      const known = ofPlatform.get(since);
      if (known !== undefined) return known;
      const next = lists.push([...(lists[list] ?? []), { platform, since }]) - 1;
      ofPlatform.set(since, next);
      return next;
    },
    placementsOf: (list) => lists[list] ?? [],
  };
}
