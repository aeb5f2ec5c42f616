import type { Manifest } from "@nearlayer/shared/manifest";
import { isForeignLayer } from "@nearlayer/shared/mediatype";
import { isIndexRecipe } from "../delivery/recipe.ts";
import { manifestOf, type ServedManifest, type Snapshot } from "../served/snapshot.ts";
import type { Variant } from "../variants/variants.ts";
import type { Failover, Puller } from "./failover.ts";
import type { GivenLayer } from "./gifts.ts";

/** Nobody makes images of so many; the rest is not counted. */
const MAX_LAYERS = 500;

/** A puller is given a manifest's own bytes: it will ask for each layer once, unless a mirror fails it. */
export function noteOriginal(failover: Failover, puller: Puller, served: ServedManifest): void {
  failover.give(puller, layersOf(served));
}

/** A puller is given a variant: it will ask the first mirror of each layer, and we shall not see it. */
export function noteVariant(failover: Failover, puller: Puller, snapshot: Snapshot, variant: Variant): void {
  const original = snapshot.manifests.get(variant.original);
  if (original !== undefined) failover.give(puller, namedIn(variant, original));
}

const named = new WeakMap<Variant, readonly GivenLayer[]>();

function namedIn(variant: Variant, original: ServedManifest): readonly GivenLayer[] {
  const known = named.get(variant);
  if (known !== undefined) return known;
  const found = findNamed(variant, manifestOf(original));
  named.set(variant, found);
  return found;
}

function findNamed({ recipe }: Variant, manifest: Manifest): readonly GivenLayer[] {
  // Of an index, a child will be asked for by its digest.
  if (isIndexRecipe(recipe) || manifest.kind !== "image") return [];
  const { places, layers } = recipe;
  return manifest.layers.slice(0, MAX_LAYERS).flatMap(({ digest }, index) => {
    const place = places[layers[index]?.[0] ?? -1];
    return place === undefined ? [] : [{ layer: digest, mirror: mirrorUrlOf(place) }];
  });
}

/** Whether a puller asks for an image again because the mirrors that a variant named have failed it. */
export function isRerun(failover: Failover, puller: Puller, snapshot: Snapshot, served: ServedManifest): boolean {
  const manifest = manifestOf(served);
  if (manifest.kind === "image") return failover.isRerun(puller, layersOf(served));
  const children = manifest.manifests.map(({ digest }) => snapshot.manifests.get(digest));
  return children.some((child) => child !== undefined && failover.isRerun(puller, layersOf(child)));
}

const layers = new WeakMap<Manifest, readonly GivenLayer[]>();

function layersOf(served: ServedManifest): readonly GivenLayer[] {
  const manifest = manifestOf(served);
  const known = layers.get(manifest);
  if (known !== undefined) return known;
  const found = findLayers(manifest);
  layers.set(manifest, found);
  return found;
}

function findLayers(manifest: Manifest): readonly GivenLayer[] {
  if (manifest.kind !== "image") return [];
  const own = manifest.layers.slice(0, MAX_LAYERS).filter(({ mediaType }) => !isForeignLayer(mediaType));
  return own.map(({ digest }) => ({ layer: digest }));
}

/** A place is a mirror's base URL and a platform. */
const mirrorUrlOf = (place: string) => place.replace(/[^/]+\/$/, "");
