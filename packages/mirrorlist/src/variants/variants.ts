import type { Catalog } from "@nearlayer/shared/catalog/open";
import { readVariant } from "@nearlayer/shared/catalog/variants";
import type { Digest } from "@nearlayer/shared/digest";
import type { Logger } from "@nearlayer/shared/log";
import { parseRecipe, type Recipe } from "../delivery/recipe.ts";
import { buildVariant, type Variant } from "../delivery/variant.ts";
import { createLru } from "../lru.ts";
import type { ServedManifest } from "../served/snapshot.ts";
import { createVariantWriter } from "./writer.ts";

export type { Variant } from "../delivery/variant.ts";

/** The variants that were ever served: in memory those of late, in the catalog all of them. */
export interface Variants {
  /** The variant by a recipe, if it is in memory, and so in the catalog as well. */
  remembered(original: ServedManifest, recipe: Recipe): Variant | undefined;
  /**
   * The variant by a recipe, in the catalog by the time this resolves. Undefined when it cannot be made or kept. Those
   * that are asked for together are written together.
   */
  make(original: ServedManifest, recipe: Recipe): Promise<Variant | undefined>;
  /**
   * The variant of that digest, made by whichever instance; `originalOf` says where its original may be had. Throws when
   * the catalog cannot be asked.
   */
  find(digest: Digest, originalOf: (original: Digest) => ServedManifest | undefined): Promise<Variant | undefined>;
}

/** What is kept in memory at most. Half of it can be in use at a time without anything being forgotten: see `lru.ts`. */
export const MEMORY_BYTES = 128 * 1024 * 1024;

/** Bytes of memory, about. */
export const weigh = ({ bytes }: Variant): number => bytes.length + 500;

export function createVariants(catalog: Catalog, log: Logger): Variants {
  const byDigest = createLru<Digest, Variant>(MEMORY_BYTES, weigh);
  const byRecipe = createLru<string, Variant>(MEMORY_BYTES, weigh);
  const underWay = new Map<string, Promise<Variant | undefined>>();
  const put = createVariantWriter(catalog);
  const keyOf = (original: ServedManifest, recipe: Recipe) => `${original.digest} ${JSON.stringify(recipe)}`;

  async function makeAndKeep(original: ServedManifest, recipe: Recipe, key: string): Promise<Variant | undefined> {
    const variant = buildVariant(original, recipe);
    if (variant === undefined) return undefined;
    try {
      await put({ digest: variant.digest, original: original.digest, urls: JSON.stringify(recipe) });
    } catch (error) {
      log.error({ err: error, original: original.digest }, "a variant cannot be kept: the original is served");
      return undefined;
    }
    byDigest.set(variant.digest, variant);
    byRecipe.set(key, variant);
    return variant;
  }

  return {
    remembered: (original, recipe) => byRecipe.get(keyOf(original, recipe)),

    async make(original, recipe) {
      const key = keyOf(original, recipe);
      const known = byRecipe.get(key);
      if (known !== undefined) return known;
      const current = underWay.get(key) ?? makeAndKeep(original, recipe, key).finally(() => underWay.delete(key));
      underWay.set(key, current);
      return current;
    },

    async find(digest, originalOf) {
      const known = byDigest.get(digest);
      if (known !== undefined) return originalOf(known.original) === undefined ? undefined : known;
      const record = await readVariant(catalog, digest);
      const recipe = record && parseRecipe(record.urls);
      const original = record && originalOf(record.original);
      if (recipe === undefined || original === undefined) return undefined;
      const variant = buildVariant(original, recipe);
      if (variant?.digest !== digest) {
        log.error({ digest, original: original.digest }, "the recipe of a variant makes other bytes now");
        return undefined;
      }
      byDigest.set(digest, variant);
      return variant;
    },
  };
}
