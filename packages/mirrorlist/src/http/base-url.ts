import type { Forwarded } from "./forwarded.ts";

/** How clients reach us, for the URLs that are written into variants; undefined when we cannot tell. */
export type BaseUrlOf = (forwarded: Forwarded) => string | undefined;

/** The most names that we take ourselves to have when nobody has told us. */
const MAX_NAMES = 16;

/**
 * `publicUrl` when it is configured. Else what the client has called us: that is its word alone, and each name makes
 * variants that are kept for ever, so that there is an end to the names that are believed. After it, clients get the
 * original manifests, which name nobody.
 */
export function createBaseUrlOf(publicUrl: string | undefined): BaseUrlOf {
  if (publicUrl !== undefined) return () => publicUrl;
  const known = new Set<string>();
  return ({ scheme, host }) => {
    if (host === undefined) return undefined;
    const url = `${scheme}://${host}`;
    if (!known.has(url) && known.size >= MAX_NAMES) return undefined;
    known.add(url);
    return url;
  };
}
