import type { Repository } from "@nearlayer/shared/reference";
import type { Walk } from "../source/walk.ts";
import type { CompleteListings } from "./tags.ts";

/** The listings of a walk that can be believed. */
export function listingsOf({ catalog, listings }: Pick<Walk, "catalog" | "listings">): CompleteListings {
  return {
    repositories: catalog.complete ? catalog.repositories : undefined,
    tags: new Map(listings.flatMap(({ repository, tags, complete }) => (complete ? [[repository, tags]] : []))),
  };
}

/** The repositories whose tags the listings say something about; undefined when it may be any. */
export function listedIn({ repositories, tags }: CompleteListings): readonly Repository[] | undefined {
  return repositories === undefined ? [...tags.keys()] : undefined;
}
