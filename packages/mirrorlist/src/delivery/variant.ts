import { type Digest, digestOf } from "@nearlayer/shared/digest";
import { bytesOf, manifestOf, type ServedManifest } from "../served/snapshot.ts";
import { isIndexRecipe, type Recipe, urlsOf } from "./recipe.ts";
import { rewriteChildren, rewriteLayers } from "./rewrite.ts";

/** A manifest with `urls` on its layers, or an index with such children, as it is served. */
export interface Variant {
  readonly digest: Digest;
  readonly original: Digest;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
  readonly recipe: Recipe;
}

/** Pure: the same original and recipe make the same bytes. Undefined when the one is not for the other. */
export function buildVariant(original: ServedManifest, recipe: Recipe): Variant | undefined {
  const bytes = rewrite(original, recipe);
  return bytes && { digest: digestOf(bytes), original: original.digest, mediaType: original.mediaType, bytes, recipe };
}

function rewrite(original: ServedManifest, recipe: Recipe): Uint8Array | undefined {
  const manifest = manifestOf(original);
  if (isIndexRecipe(recipe)) {
    if (manifest.kind !== "index") return undefined;
    return rewriteChildren(
      bytesOf(original),
      recipe.children.map((child) => child ?? undefined),
    );
  }
  if (manifest.kind !== "image") return undefined;
  const digests = manifest.layers.map(({ digest }) => digest);
  return rewriteLayers(bytesOf(original), urlsOf(recipe, digests));
}
