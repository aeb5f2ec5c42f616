import type { Catalog } from "@nearlayer/shared/catalog/open";
import { isKnownGeneration } from "@nearlayer/shared/catalog/served";
import type { Generation } from "@nearlayer/shared/generation";
import { createLru } from "../lru.ts";

const REMEMBERED = 10_000;

/**
 * Whether a generation was made here. What was is so for ever: the catalog is asked once for each, and a mirror that
 * cannot answer conditionally stays in use while the catalog is out of reach.
 */
export function knownGenerations(catalog: Catalog): (generation: Generation) => Promise<boolean> {
  const known = createLru<string, true>(REMEMBERED);
  return async (generation) => {
    const key = `${generation.platform} ${generation.number} ${generation.listSha256}`;
    if (known.get(key)) return true;
    const isKnown = await isKnownGeneration(catalog, generation);
    if (isKnown) known.set(key, true);
    return isKnown;
  };
}
