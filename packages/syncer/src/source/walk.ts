import type { SourceConfig } from "@nearlayer/shared/config/schema";
import { isNearlayerError, NearlayerError } from "@nearlayer/shared/errors";
import type { Reference, Repository } from "@nearlayer/shared/reference";
import PQueue from "p-queue";
import { createFilters } from "./filters.ts";
import type { Known } from "./known.ts";
import { createReader } from "./reader.ts";
import { type TagListing, walkRepository } from "./repository.ts";
import type { Source } from "./source.ts";
import type { WalkedTag } from "./tag.ts";

/** A repository (or a pattern of them) whose tags could not be listed. */
export interface FailedRepository {
  readonly repository: string;
  readonly error: unknown;
}

export interface Walk {
  readonly tags: readonly WalkedTag[];
  readonly failedRepositories: readonly FailedRepository[];
  /** Of the repositories that were asked for as a whole. */
  readonly listings: readonly TagListing[];
  /** All repositories of the source, wanted or not; `complete` when the source has listed them, to the end. */
  readonly catalog: { readonly repositories: readonly Repository[]; readonly complete: boolean };
  /** Does the source have a referrers API? Undefined when there was no reason to ask. */
  readonly hasReferrersApi: boolean | undefined;
}

/** What of the source is read. */
export interface Scope extends Pick<Walk, "catalog"> {
  readonly wanted: readonly Reference[];
  /** Patterns that nothing was found for, because the source lists no repositories. */
  readonly failed: readonly FailedRepository[];
}

/**
 * Reads the source: the tags in the scope, and behind each the image, where it is not what the catalog knows. Requests: one
 * per page of a listing, one per tag, and what changed. `onTag` is told of every tag that has been read.
 */
export async function walkSource(
  source: Source,
  config: SourceConfig,
  known: Known,
  { wanted, catalog, failed }: Scope,
  onTag: () => void = () => {},
): Promise<Walk> {
  const filters = createFilters(config);
  const watched = watchReferrers(source);
  const reader = { ...createReader(watched.source, filters, known, config.referrers), onTag };
  // The host's own limit is on requests; this one is on what waits for it.
  const queue = new PQueue({ concurrency: 2 * config.concurrency });
  const walked = await queue.addAll(
    wanted.map((reference) => async () => ({ reference, ...(await walkRepository(reader, reference)) })),
  );
  // A registry lists a repository that never got a tag, or has lost all, and then knows no tags of it. That is no failure,
  // unless somebody named it, or tags of it are carried.
  const isWithoutTags = async (repository: Repository, error: unknown) =>
    isNearlayerError(error, "NOT_FOUND") &&
    catalog.repositories.includes(repository) &&
    !filters.names.includes(repository) &&
    !(await known.hasTags(repository));
  const failedRepositories: FailedRepository[] = [...failed];
  for (const { reference, error } of walked) {
    const { repository } = reference;
    if (error !== undefined && !(await isWithoutTags(repository, error)))
      failedRepositories.push({ repository, error });
  }
  return {
    tags: walked.flatMap(({ tags }) => tags),
    failedRepositories,
    listings: walked.flatMap(({ listing }) => listing ?? []),
    catalog,
    hasReferrersApi: watched.hasApi(),
  };
}

const NOT_ASKED = { repositories: [], complete: false };

/**
 * The references, or without any all repositories that the configuration asks for; where it names all in full, nobody need
 * be asked. Throws SOURCE_UNREACHABLE or SOURCE_REFUSED when the list of repositories cannot be had.
 */
export async function scopeOf(
  source: Source,
  config: SourceConfig,
  references: readonly Reference[] = [],
): Promise<Scope> {
  if (references.length > 0) return { wanted: references, catalog: NOT_ASKED, failed: [] };
  const { names, patterns, repository } = createFilters(config);
  const byName = names.map((name): Reference => ({ repository: name }));
  if (patterns.length === 0) return { wanted: byName, catalog: NOT_ASKED, failed: [] };
  const listing = await source.listRepositories();
  if (listing.repositories !== undefined) {
    const { repositories } = listing;
    const wanted = [...new Set([...names, ...repositories.filter(repository)])];
    const catalog = { repositories, complete: repositories.length > 0 };
    return { wanted: wanted.map((name): Reference => ({ repository: name })), catalog, failed: [] };
  }
  const error = new NearlayerError("SOURCE_REFUSED", `${source.name} lists no repositories: ${listing.reason}`, {
    hint: "name each repository in full in source.repositories, without wildcards; or give source.username",
  });
  if (byName.length === 0) throw error;
  return { wanted: byName, catalog: NOT_ASKED, failed: patterns.map((pattern) => ({ repository: pattern, error })) };
}

/**
 * Cuts a scope into parts of at most `size` references, for walks one after the other. That a repository is gone from the
 * source counts once, with the last of them. Pure.
 */
export function partsOf({ wanted, catalog, failed }: Scope, size: number): Scope[] {
  const count = Math.max(1, Math.ceil(wanted.length / size));
  return Array.from({ length: count }, (_, index) => ({
    wanted: wanted.slice(index * size, (index + 1) * size),
    catalog: { ...catalog, complete: catalog.complete && index === count - 1 },
    failed: index === 0 ? failed : [],
  }));
}

/** Notes on the way what the source answers about referrers, for the next time. */
function watchReferrers(source: Source): { source: Source; hasApi: () => boolean | undefined } {
  let hasApi: boolean | undefined;
  const getReferrers: Source["getReferrers"] = async (repository, digest) => {
    const found = await source.getReferrers(repository, digest);
    hasApi = found !== undefined;
    return found;
  };
  return { source: { ...source, getReferrers }, hasApi: () => hasApi };
}
