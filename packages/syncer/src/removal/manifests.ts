import type { ManifestGraph } from "@nearlayer/shared/catalog/graph";
import type { Digest } from "@nearlayer/shared/digest";

/** Which manifests change their mark. */
export interface ManifestPlan {
  /** Needed until now, and no longer. */
  readonly unneeded: readonly Digest[];
  /** On their way out until now, and needed again. */
  readonly needed: readonly Digest[];
}

/** Follows what is needed from the roots on; what is not reached is unneeded. Manifests that are not known are passed over. */
export function planManifests({ marked, roots, needs }: ManifestGraph): ManifestPlan {
  const reached = new Set<Digest>();
  const waiting = [...roots];
  for (let digest = waiting.pop(); digest !== undefined; digest = waiting.pop()) {
    if (reached.has(digest)) continue;
    reached.add(digest);
    waiting.push(...(needs.get(digest) ?? []));
  }
  const unneeded: Digest[] = [];
  const needed: Digest[] = [];
  for (const [digest, isMarked] of marked) {
    if (reached.has(digest) && isMarked) needed.push(digest);
    else if (!reached.has(digest) && !isMarked) unneeded.push(digest);
  }
  return { unneeded, needed };
}
