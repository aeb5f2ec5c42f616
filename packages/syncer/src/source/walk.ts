import type { SourceConfig } from "@nearlayer/shared/config/schema";
import type { Digest } from "@nearlayer/shared/digest";
import type { Platform } from "@nearlayer/shared/platform";
import type { Reference, Repository, Tag } from "@nearlayer/shared/reference";
import picomatch from "picomatch";
import type { FetchedManifest, RegistryClient } from "./client.ts";
import { readImage, type SourceImage } from "./image.ts";
import { listRepositories, listTags } from "./listing.ts";

/** A tag of the source. */
export interface TagName {
  readonly repository: Repository;
  readonly tag: Tag;
}

/** What was found behind a tag; a tag that could not be read fails alone. */
export type WalkedTag = TagName &
  (
    | { readonly outcome: "unchanged"; readonly digest: Digest }
    | { readonly outcome: "changed"; readonly image: SourceImage }
    | { readonly outcome: "failed"; readonly error: unknown }
  );

/** What the catalog knows, so that what has not changed is not fetched again. */
export interface Known {
  readonly tag: (name: TagName) => Promise<Digest | undefined>;
  readonly manifest: (digest: Digest) => Promise<FetchedManifest | undefined>;
}

/** Which repositories, tags and platforms the configuration asks for. */
export interface Filters {
  readonly repository: (name: string) => boolean;
  readonly tag: (name: string) => boolean;
  readonly platform: (name: Platform) => boolean;
}

export function createFilters(source: SourceConfig): Filters {
  const included = picomatch(source.repositories, { ignore: source.exclude });
  return { repository: (name) => included(name), tag: picomatch(source.tags), platform: picomatch(source.platforms) };
}

/** A repository whose tags could not be listed. */
export interface FailedRepository {
  readonly repository: Repository;
  readonly error: unknown;
}

export interface Walk {
  readonly tags: readonly WalkedTag[];
  readonly failedRepositories: readonly FailedRepository[];
}

/**
 * Reads the source: the tags that the filters (or, when given, the references) ask for, and behind each the image, where
 * it is not what the catalog knows. Requests: one per page of a listing, one per tag, and what changed.
 *
 * Throws SOURCE_UNREACHABLE or SOURCE_REFUSED when the list of repositories cannot be had.
 */
export async function walkSource(
  client: RegistryClient,
  filters: Filters,
  known: Known,
  references: readonly Reference[] = [],
): Promise<Walk> {
  const failedRepositories: FailedRepository[] = [];
  const wanted =
    references.length > 0
      ? references
      : (await listRepositories(client)).filter(filters.repository).map((repository): Reference => ({ repository }));

  const tags = await Promise.all(
    wanted.map(async (reference) => {
      const { repository } = reference;
      try {
        const names = reference.tag ? [reference.tag] : (await listTags(client, repository)).filter(filters.tag);
        return await Promise.all(names.map((tag) => walkTag(client, filters, known, { repository, tag })));
      } catch (error) {
        failedRepositories.push({ repository, error });
        return [];
      }
    }),
  );
  return { tags: tags.flat(), failedRepositories };
}

async function walkTag(client: RegistryClient, filters: Filters, known: Known, name: TagName): Promise<WalkedTag> {
  try {
    const digest = await known.tag(name);
    const top = await client.getManifest(name.repository, name.tag, digest);
    if (digest !== undefined && (top === undefined || top.digest === digest)) {
      return { ...name, outcome: "unchanged", digest };
    }
    if (top === undefined) throw new Error(`an unconditional request was answered 304: ${name.repository}:${name.tag}`);
    const reader = { client, wants: filters.platform, known: known.manifest };
    return { ...name, outcome: "changed", image: await readImage(reader, name.repository, top) };
  } catch (error) {
    return { ...name, outcome: "failed", error };
  }
}
