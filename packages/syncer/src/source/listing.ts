import { NearlayerError } from "@nearlayer/shared/errors";
import { isRepository, isTag, type Repository, type Tag } from "@nearlayer/shared/reference";
import type { RegistryClient } from "./client.ts";

/** A listing that goes on for more pages than this is a loop, or not a registry. */
const MAX_PAGES = 100_000;
const PAGE_SIZE = 1000;

/** All repositories of a registry (distribution's `_catalog`, all pages). */
export async function listRepositories(client: RegistryClient): Promise<Repository[]> {
  return collect(client, `v2/_catalog?n=${PAGE_SIZE}`, "repositories", isRepository);
}

/** All tags of a repository (distribution-spec, "Listing Tags", all pages). */
export async function listTags(client: RegistryClient, repository: Repository): Promise<Tag[]> {
  return collect(client, `v2/${repository}/tags/list?n=${PAGE_SIZE}`, "tags", isTag);
}

async function collect<T extends string>(
  client: RegistryClient,
  first: string,
  key: "repositories" | "tags",
  is: (text: string) => text is T,
): Promise<T[]> {
  const names = new Set<T>();
  const seen = new Set<string>();
  for (let path: string | undefined = first; path !== undefined; ) {
    if (seen.has(path) || seen.size >= MAX_PAGES) {
      throw new NearlayerError("SOURCE_REFUSED", `registry ${client.url}: the pages of ${first} do not end`);
    }
    seen.add(path);
    const { document, next } = await client.getPage(path);
    for (const name of namesOf(document, key, `${client.url}/${first}`)) if (is(name)) names.add(name);
    path = next;
  }
  return [...names].sort();
}

function namesOf(document: unknown, key: "repositories" | "tags", what: string): string[] {
  const list =
    typeof document === "object" && document !== null ? (document as Record<string, unknown>)[key] : undefined;
  // distribution answers `"tags": null` for a repository whose tags were all deleted.
  if (list === null) return [];
  if (Array.isArray(list) && list.every((name) => typeof name === "string")) return list;
  throw new NearlayerError("SOURCE_REFUSED", `${what} is not a listing: it has no array of ${key}`);
}
