import type { Look } from "../pull/look.ts";
import type { BlobThere } from "./blob-check.ts";

/** The same look; where a mirror answers with what is not right, the crawler is told, which looks for itself. */
export function reportLooks(look: Look, suspect: (there: BlobThere) => void): Look {
  return async (candidate, digest, size) => {
    const verdict = await look(candidate, digest, size);
    const { mirror, platform } = candidate;
    if (!verdict.ok && verdict.fault !== undefined) suspect({ mirror, platform, digest, size });
    return verdict;
  };
}
