import type { SourceConfig } from "@nearlayer/shared/config/schema";
import { isNearlayerError, NearlayerError } from "@nearlayer/shared/errors";
import type { Reference, Repository } from "@nearlayer/shared/reference";
import { createFilters, type Filters } from "./filters.ts";
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

/**
 * Reads the source: the tags that the configuration (or, when given, the references) asks for, and behind each the image,
 * where it is not what the catalog knows. Requests: one per page of a listing, one per tag, and what changed.
 *
 * `onTag` is told of every tag that has been read. Throws SOURCE_UNREACHABLE or SOURCE_REFUSED when the list of repositories cannot be had.
 */
export async function walkSource(
  source: Source,
  config: SourceConfig,
  known: Known,
  references: readonly Reference[] = [],
  onTag: () => void = () => {},
): Promise<Walk> {
  const filters = createFilters(config);
  const watched = watchReferrers(source);
  const reader = { ...createReader(watched.source, filters, known, config.referrers), onTag };
  const { wanted, catalog, failed } =
    references.length > 0
      ? { wanted: references, catalog: NOT_ASKED, failed: [] }
      : await findRepositories(source, filters);
  const walked = await Promise.all(
    wanted.map(async (reference) => ({ reference, ...(await walkRepository(reader, reference)) })),
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

interface Found {
  readonly wanted: readonly Reference[];
  readonly catalog: Walk["catalog"];
  readonly failed: readonly FailedRepository[];
}

/** The repositories that the configuration asks for. Where all are named in full, nobody need be asked. */
async function findRepositories(source: Source, { names, patterns, repository }: Filters): Promise<Found> {
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
