import { type Descriptor, digestSchema } from "@nearlayer/shared/descriptor";
import type { Digest } from "@nearlayer/shared/digest";
import { isForeignLayer } from "@nearlayer/shared/mediatype";
import type { Platform } from "@nearlayer/shared/platform";
import type { Repository } from "@nearlayer/shared/reference";
import { pubBlobName } from "@nearlayer/shared/tree";
import { z } from "zod";
import type { LayerUrls } from "./rewrite.ts";

/**
 * How a variant is made from its original. Kept in the catalog as JSON, for ever, so that a field may be added and none
 * may change its meaning.
 */
export type Recipe = ImageRecipe | IndexRecipe;

/** Of an image: for each layer the places to fetch it from, best first. */
export interface ImageRecipe {
  readonly version: 1;
  /** The mirror list's own `/v2/<repository>/`, which stands last on every layer. */
  readonly own: string;
  /** The places, each written once: `<mirror's base URL><platform>/`. */
  readonly places: readonly string[];
  /** For each layer the numbers of its places; none leaves the layer as it is. */
  readonly layers: readonly (readonly number[])[];
}

/** Of an index: for each child the variant that stands for it; null leaves the child as it is. */
export interface IndexRecipe {
  readonly version: 1;
  readonly children: readonly (ChildVariant | null)[];
}

/** A variant as an index names it; its bytes are this many. */
export interface ChildVariant {
  readonly digest: Digest;
  readonly size: number;
}

export const isIndexRecipe = (recipe: Recipe): recipe is IndexRecipe => "children" in recipe;

/** Where a layer can be fetched: a mirror's base URL and the platform there. */
export interface LayerPlace {
  readonly url: string;
  readonly platform: Platform;
}

/** How many mirrors are written on a layer: enough to survive two that fail, few enough to keep manifests small. */
export const MAX_PLACES = 3;

/**
 * What the mirror list's own URL carries when it stands behind the mirrors in a variant: whoever comes with it has
 * tried them, and gets the bytes from the origin instead of a way back to one that failed.
 */
export const AFTER_MIRRORS = "after=mirrors";

/** Undefined when no layer has a place: then there is nothing to write. Foreign layers are left alone. */
export function makeRecipe(
  layers: readonly Descriptor[],
  placesOf: (layer: Descriptor) => readonly LayerPlace[],
  baseUrl: string,
  repository: Repository,
): ImageRecipe | undefined {
  const places: string[] = [];
  const numberOf = (place: string) => {
    const known = places.indexOf(place);
    return known >= 0 ? known : places.push(place) - 1;
  };
  const chosen = layers.map((layer) =>
    isForeignLayer(layer.mediaType)
      ? []
      : placesOf(layer)
          .slice(0, MAX_PLACES)
          .map(({ url, platform }) => numberOf(`${url}${platform}/`)),
  );
  if (places.length === 0) return undefined;
  return { version: 1, own: `${baseUrl}/v2/${repository}/`, places, layers: chosen };
}

/** Undefined when no child has a variant. */
export function makeIndexRecipe(children: readonly (ChildVariant | undefined)[]): IndexRecipe | undefined {
  if (children.every((child) => child === undefined)) return undefined;
  return {
    version: 1,
    children: children.map((child) => (child && { digest: child.digest, size: child.size }) ?? null),
  };
}

/** The URLs of each layer. The recipe must be for as many layers. */
export function urlsOf(recipe: ImageRecipe, digests: readonly Digest[]): LayerUrls {
  return recipe.layers.map((numbers, index) => {
    const digest = digests[index];
    if (numbers.length === 0 || digest === undefined) return undefined;
    const mirrors = numbers.map((number) => `${recipe.places[number]}${blobTail(digest)}`);
    return [...mirrors, `${recipe.own}blobs/${digest}?${AFTER_MIRRORS}`];
  });
}

/** A blob's name within a platform's folder. */
const blobTail = (digest: Digest) => pubBlobName("noarch" as Platform, digest).slice("noarch/".length);

/** Reads a recipe back. Undefined for what a newer version has written, and for what is none. */
export function parseRecipe(json: string): Recipe | undefined {
  try {
    const result = recipeSchema.safeParse(JSON.parse(json));
    return result.success ? result.data : undefined;
  } catch {
    return undefined;
  }
}

const version = z.literal(1);
const recipeSchema = z.union([
  z.object({
    version,
    own: z.string(),
    places: z.array(z.string()),
    layers: z.array(z.array(z.int())),
  }),
  z.object({ version, children: z.array(z.object({ digest: digestSchema, size: z.int() }).nullable()) }),
]);
