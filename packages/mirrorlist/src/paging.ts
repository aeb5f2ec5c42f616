import { type SpecError, specError } from "./spec-error.ts";

/** Which part of a list is asked for (distribution-spec, "Listing Tags"): at most `n` names after `last`. */
export interface PageRequest {
  readonly kind: "page";
  readonly n: number;
  readonly last?: string;
}

/** A part of a list, and the `last` of the next part when there is one. */
export interface Page {
  readonly names: readonly string[];
  readonly next?: string;
}

/** The most names that one answer holds, whatever is asked for. */
export const MAX_PAGE = 10_000;

/** Reads `n` and `last` of a query. */
export function parsePage(query: URLSearchParams): PageRequest | SpecError {
  const n = query.get("n");
  const last = query.get("last");
  if (n !== null && !/^\d+$/.test(n)) {
    return specError("PAGINATION_NUMBER_INVALID", "n is not a number that a page can have", n);
  }
  return {
    kind: "page",
    n: Math.min(n === null ? MAX_PAGE : Number(n), MAX_PAGE),
    ...(last === null ? {} : { last }),
  };
}

/** The part of `sorted` (by code unit) that is asked for. `last` need not be a name of the list. */
export function pageOf(sorted: readonly string[], { n, last }: PageRequest): Page {
  const start = last === undefined ? 0 : firstAfter(sorted, last);
  const names = sorted.slice(start, start + n);
  const end = names.at(-1);
  return end === undefined || start + n >= sorted.length ? { names } : { names, next: end };
}

function firstAfter(sorted: readonly string[], last: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? "") <= last) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The value of the Link header that leads to the next part (RFC 8288). */
export function nextLink(path: string, n: number, next: string): string {
  return `<${path}?n=${n}&last=${encodeURIComponent(next)}>; rel="next"`;
}
