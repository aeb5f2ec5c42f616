import type { KnownTag } from "@nearlayer/shared/catalog/removal";
import type { Repository, Tag } from "@nearlayer/shared/reference";
import type { Archive } from "./archive.ts";

/** In how many complete listings in a row a tag must be missing before it is removed. */
export const LISTINGS_TO_REMOVE = 2;

/** The listings of a walk that came to their end. One that failed or broke off is not in it. */
export interface CompleteListings {
  /** All repositories of the source, when the source lists them and did. */
  readonly repositories: readonly Repository[] | undefined;
  /** All tags of a repository, before any filter. */
  readonly tags: ReadonlyMap<Repository, readonly Tag[]>;
}

/** What follows from the listings for the tags that are known. */
export interface TagPlan {
  /** Tags whose count of listings without them has changed; 0 when they are there again. */
  readonly counted: readonly KnownTag[];
  readonly removed: readonly KnownTag[];
  /** Tags that would have been removed, but are archived. */
  readonly archived: readonly KnownTag[];
}

/**
 * Counts in how many complete listings each known tag has been missing. An empty listing is not believed: it is what a
 * registry with a lost disk says. A tag that the source has but the configuration no longer asks for stays as it is.
 */
export function planTags(known: readonly KnownTag[], listings: CompleteListings, archive: Archive): TagPlan {
  const repositories = listings.repositories?.length ? new Set(listings.repositories) : undefined;
  const tags = new Map([...listings.tags].map(([repository, names]) => [repository, new Set(names)]));
  const counted: KnownTag[] = [];
  const removed: KnownTag[] = [];
  const archived: KnownTag[] = [];
  for (const tag of known) {
    const listed = tags.get(tag.repository);
    const isListed = listed?.has(tag.name) ?? false;
    const isMissing = listed ? listed.size > 0 && !isListed : repositories?.has(tag.repository) === false;
    const missing = isMissing ? tag.missing + 1 : isListed ? 0 : tag.missing;
    if (missing === tag.missing) continue;
    if (missing < LISTINGS_TO_REMOVE) counted.push({ ...tag, missing });
    else if (archive.keepsTag(tag.repository, tag.name)) archived.push(tag);
    else removed.push({ ...tag, missing });
  }
  return { counted, removed, archived };
}
