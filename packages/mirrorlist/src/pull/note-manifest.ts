import type { Digest } from "@nearlayer/shared/digest";
import { isForeignLayer } from "@nearlayer/shared/mediatype";
import { isIndexRecipe } from "../delivery/recipe.ts";
import { manifestOf, type ServedManifest, type Snapshot } from "../served/snapshot.ts";
import type { Variant } from "../variants/variants.ts";
import type { Failover, Puller } from "./failover.ts";

/** Nobody makes images of so many; the rest is not counted. */
const MAX_LAYERS = 500;

/** A puller is given a manifest's own bytes: it will ask for each layer once, unless a mirror fails it. */
export function noteOriginal(failover: Failover, puller: Puller, served: ServedManifest): void {
  failover.announce(puller, layersOf(served));
}

/** A puller is given a variant: it will ask the first mirror of each layer, and we shall not see it. */
export function noteVariant(failover: Failover, puller: Puller, snapshot: Snapshot, variant: Variant): void {
  const { recipe } = variant;
  const original = snapshot.manifests.get(variant.original);
  // Of an index, a child will be asked for by its digest.
  if (original === undefined || isIndexRecipe(recipe)) return;
  const manifest = manifestOf(original);
  if (manifest.kind !== "image") return;
  const { places, layers } = recipe;
  for (const [index, { digest }] of manifest.layers.slice(0, MAX_LAYERS).entries()) {
    const place = places[layers[index]?.[0] ?? -1];
    if (place !== undefined) failover.named(puller, digest, mirrorUrlOf(place));
  }
}

/** Whether a puller asks for an image again because the mirrors that a variant named have failed it. */
export function isRerun(failover: Failover, puller: Puller, snapshot: Snapshot, served: ServedManifest): boolean {
  const manifest = manifestOf(served);
  if (manifest.kind === "image") return failover.isRerun(puller, layersOf(served));
  const children = manifest.manifests.map(({ digest }) => snapshot.manifests.get(digest));
  return children.some((child) => child !== undefined && failover.isRerun(puller, layersOf(child)));
}

function layersOf(served: ServedManifest): Digest[] {
  const manifest = manifestOf(served);
  if (manifest.kind !== "image") return [];
  const layers = manifest.layers.slice(0, MAX_LAYERS).filter(({ mediaType }) => !isForeignLayer(mediaType));
  return layers.map(({ digest }) => digest);
}

/** A place is a mirror's base URL and a platform. */
const mirrorUrlOf = (place: string) => place.replace(/[^/]+\/$/, "");
