import { NearlayerError } from "@nearlayer/shared/errors";
import { nextPage } from "./link.ts";

/** A listing that goes on for more pages than this is a loop, or not a registry. */
const MAX_PAGES = 100_000;
export const PAGE_SIZE = 1000;

/** A page of a listing, and the `Link` to the next one. */
export interface Page {
  readonly document: unknown;
  readonly link: string | undefined;
}

/**
 * All names of a listing (distribution-spec, "Listing Tags"; distribution's `_catalog`), page after page. Throws when it
 * does not come to its end: there is no such thing as half a listing.
 */
export async function collectNames<T extends string>(
  first: URL,
  key: "repositories" | "tags",
  is: (text: string) => text is T,
  getPage: (url: URL) => Promise<Page>,
): Promise<T[]> {
  const names = new Set<string>();
  const seen = new Set<string>();
  for (let url: URL | undefined = first; url !== undefined; ) {
    if (seen.has(url.href) || seen.size >= MAX_PAGES) {
      throw new NearlayerError("SOURCE_REFUSED", `the pages of ${first.href} do not end`);
    }
    seen.add(url.href);
    const { document, link } = await getPage(url);
    const page = namesOf(document, key, url.href);
    const before = names.size;
    for (const name of page) names.add(name);
    url = nextPage(link, url) ?? (names.size > before ? uncertainNext(first, page) : undefined);
  }
  return [...names].filter(is).sort();
}

/** A page that is exactly full and has no link may have lost it on the way through a proxy: what comes after is asked. */
function uncertainNext(first: URL, page: readonly string[]): URL | undefined {
  const last = page.at(-1);
  if (page.length !== PAGE_SIZE || last === undefined) return undefined;
  const next = new URL(first);
  next.searchParams.set("last", last);
  return next;
}

function namesOf(document: unknown, key: "repositories" | "tags", what: string): string[] {
  const list =
    typeof document === "object" && document !== null ? (document as Record<string, unknown>)[key] : undefined;
  // distribution answers `"tags": null` for a repository whose tags were all deleted.
  if (list === null) return [];
  if (Array.isArray(list) && list.every((name) => typeof name === "string")) return list;
  throw new NearlayerError("SOURCE_REFUSED", `${what} is not a listing: it has no array of ${key}`);
}
