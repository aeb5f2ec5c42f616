import { setTimeout as sleep } from "node:timers/promises";
import type { Catalog } from "@nearlayer/shared/catalog/open";
import { isBusy, putVariant, readVariant } from "@nearlayer/shared/catalog/variants";
import { type Digest, digestOf } from "@nearlayer/shared/digest";
import type { Logger } from "@nearlayer/shared/log";
import { parseRecipe, type Recipe, urlsOf } from "../delivery/recipe.ts";
import { rewriteLayers } from "../delivery/rewrite.ts";
import { createLru } from "../lru.ts";
import { manifestOf, type ServedManifest } from "../served/snapshot.ts";

/** A manifest with `urls` on its layers, as it is served. */
export interface Variant {
  readonly digest: Digest;
  readonly original: Digest;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/** The variants that were ever served: in memory those of late, in the catalog all of them. */
export interface Variants {
  /** The variant by a recipe, in the catalog by the time this resolves. Undefined when it cannot be made or kept. */
  make(original: ServedManifest, recipe: Recipe): Promise<Variant | undefined>;
  /** The variant of that digest, made by whichever instance; `originalOf` says where its original may be had. */
  find(digest: Digest, originalOf: (original: Digest) => ServedManifest | undefined): Promise<Variant | undefined>;
}

const MEMORY_BYTES = 64 * 1024 * 1024;
/** How long a writer waits for its turn; after that the client gets the original, which is always right. */
const WRITE_MS = 2000;
const RETRY_MS = 20;

export function createVariants(catalog: Catalog, log: Logger): Variants {
  const weigh = (variant: Variant) => variant.bytes.length + 500;
  const byDigest = createLru<Digest, Variant>(MEMORY_BYTES, weigh);
  const byRecipe = createLru<string, Variant>(MEMORY_BYTES, weigh);
  const underWay = new Map<string, Promise<Variant | undefined>>();

  async function makeAndKeep(original: ServedManifest, recipe: Recipe, urls: string): Promise<Variant | undefined> {
    const variant = build(original, recipe);
    if (variant === undefined) return undefined;
    try {
      await putWhenFree(catalog, { digest: variant.digest, original: original.digest, urls });
    } catch (error) {
      log.error({ err: error, original: original.digest }, "a variant cannot be kept: the original is served");
      return undefined;
    }
    byDigest.set(variant.digest, variant);
    byRecipe.set(`${original.digest} ${urls}`, variant);
    return variant;
  }

  return {
    async make(original, recipe) {
      const urls = JSON.stringify(recipe);
      const key = `${original.digest} ${urls}`;
      const known = byRecipe.get(key);
      if (known !== undefined) return known;
      const current = underWay.get(key) ?? makeAndKeep(original, recipe, urls).finally(() => underWay.delete(key));
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
      const variant = build(original, recipe);
      if (variant?.digest !== digest) {
        log.error({ digest, original: original.digest }, "the recipe of a variant makes other bytes now");
        return undefined;
      }
      byDigest.set(digest, variant);
      return variant;
    },
  };
}

function build(original: ServedManifest, recipe: Recipe): Variant | undefined {
  const manifest = manifestOf(original);
  if (manifest.kind !== "image") return undefined;
  const layerUrls = urlsOf(
    recipe,
    manifest.layers.map(({ digest }) => digest),
  );
  const bytes = rewriteLayers(original.bytes, layerUrls);
  return bytes && { digest: digestOf(bytes), original: original.digest, mediaType: original.mediaType, bytes };
}

/**
 * SQLite has one writer at a time, and waiting inside it would hold up every request: the connection that is given
 * does not wait, and the waiting is done here.
 */
async function putWhenFree(catalog: Catalog, record: Parameters<typeof putVariant>[1]): Promise<void> {
  const deadline = performance.now() + WRITE_MS;
  for (;;) {
    try {
      return await putVariant(catalog, record);
    } catch (error) {
      if (!isBusy(error) || performance.now() > deadline) throw error;
      await sleep(RETRY_MS);
    }
  }
}
