import type { Digest } from "@nearlayer/shared/digest";
import { NearlayerError } from "@nearlayer/shared/errors";
import { NOARCH, type Platform } from "@nearlayer/shared/platform";
import type { Reference, Repository, Tag } from "@nearlayer/shared/reference";
import { subjectOf } from "./companions.ts";
import { knownBelow } from "./known.ts";
import type { Reader } from "./reader.ts";
import { type WalkedTag, walkTag } from "./tag.ts";

/**
 * What the source says that a repository has. Nothing is ever removed on the word of a listing that is not `complete`:
 * one that failed, that did not come to its end, or that is empty.
 */
export interface TagListing {
  readonly repository: Repository;
  /** All tags, wanted or not. */
  readonly tags: readonly Tag[];
  readonly complete: boolean;
}

export interface WalkedRepository {
  readonly tags: readonly WalkedTag[];
  /** Only where the whole repository was asked for. */
  readonly listing?: TagListing;
  /** Why the tags could not be listed. */
  readonly error?: unknown;
}

/**
 * Reads a repository, or the one tag of it that is named, with the signatures and the like that belong to it. What the
 * configuration leaves out is not read because somebody names it, an event say: that is an error.
 */
export async function walkRepository(
  reader: Reader,
  { repository, tag, digest }: Reference,
): Promise<WalkedRepository> {
  if (digest !== undefined) {
    const error = new NearlayerError("USAGE", `${repository}@${digest}: a sync is by tag`);
    return { tags: [], error };
  }
  if (!reader.filters.repository(repository)) {
    const hint = "see source.repositories and source.exclude";
    return { tags: [], error: new NearlayerError("USAGE", `the configuration leaves out ${repository}`, { hint }) };
  }
  return tag === undefined ? walkAllTags(reader, repository) : walkOneTag(reader, repository, tag);
}

async function walkAllTags(reader: Reader, repository: Repository): Promise<WalkedRepository> {
  let listed: readonly Tag[];
  try {
    listed = await reader.source.listTags(repository);
  } catch (error) {
    return { tags: [], listing: { repository, tags: [], complete: false }, error };
  }
  const wanted = listed.filter((tag) => subjectOf(tag) === undefined && reader.filters.tag(tag));
  const walked = await Promise.all(wanted.map((tag) => walkTag(reader, { repository, tag }, reader.filters.platform)));
  const companions = await walkCompanions(reader, repository, listed, walked);
  return { tags: [...walked, ...companions], listing: { repository, tags: listed, complete: listed.length > 0 } };
}

async function walkOneTag(reader: Reader, repository: Repository, tag: Tag): Promise<WalkedRepository> {
  const { filters } = reader;
  const isCompanion = subjectOf(tag) !== undefined;
  if (isCompanion ? filters.excludesTag(tag) : !filters.tag(tag)) {
    const hint = "see source.tags and source.excludeTags";
    const error = new NearlayerError("USAGE", `the configuration leaves out the tag ${tag}`, { hint });
    return { tags: [{ repository, tag, outcome: "failed", error }] };
  }
  const wants = isCompanion ? orWithout(filters.platform) : filters.platform;
  const walked = [await walkTag(reader, { repository, tag }, wants)];
  if (!walked.some(({ outcome }) => outcome === "changed")) return { tags: walked };
  try {
    const listed = await reader.source.listTags(repository);
    return { tags: [...walked, ...(await walkCompanions(reader, repository, listed, walked))] };
  } catch (error) {
    return { tags: walked, error };
  }
}

/**
 * Reads the tags that belong to what is carried, and, since a signature can be signed too, to what they name. Those of
 * images that are not carried are left out.
 */
async function walkCompanions(
  reader: Reader,
  repository: Repository,
  listed: readonly Tag[],
  images: readonly WalkedTag[],
): Promise<WalkedTag[]> {
  const walked: WalkedTag[] = [];
  let left = listed.filter((tag) => subjectOf(tag) !== undefined && !reader.filters.excludesTag(tag));
  let latest = images;
  while (left.length > 0 && latest.length > 0) {
    const carried = new Set((await Promise.all(latest.map((each) => carriedBy(reader, each)))).flat());
    const belongs = (tag: Tag) => carried.has(subjectOf(tag) as Digest);
    const wants = orWithout(reader.filters.platform);
    latest = await Promise.all(left.filter(belongs).map((tag) => walkTag(reader, { repository, tag }, wants)));
    left = left.filter((tag) => !belongs(tag));
    walked.push(...latest);
  }
  return walked;
}

/** The manifests that a tag brings in; of one that failed, what it had before stays. */
async function carriedBy(reader: Reader, walked: WalkedTag): Promise<readonly Digest[]> {
  if (walked.outcome === "changed") {
    const below = await knownBelow(reader.known, walked.image.digest);
    return [...walked.image.manifests.map(({ digest }) => digest), ...below];
  }
  if (walked.outcome === "excluded") return [];
  const digest = walked.outcome === "unchanged" ? walked.digest : await reader.known.tag(walked);
  return digest === undefined ? [] : knownBelow(reader.known, digest);
}

/** What has no platform is wanted as well. */
function orWithout(wants: (platform: Platform) => boolean): (platform: Platform) => boolean {
  return (platform) => platform === NOARCH || wants(platform);
}
