/** Where a repository's page is, or that of one image: `REPOSITORY:TAG`, `REPOSITORY@DIGEST`. */
export const imagePath = (reference: string): string => `/r/${encodeURI(reference).replaceAll("?", "%3F")}`;

export const mirrorPath = (name: string): string => `/mirrors/${encodeURIComponent(name)}`;

/** A path with a query; what is empty is left out. */
export function hrefOf(path: string, query: Readonly<Record<string, string>>): string {
  const parameters = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== ""));
  return parameters.size === 0 ? path : `${path}?${parameters}`;
}
