import type { Digest } from "../digest.ts";
import { chunksOf } from "./chunks.ts";
import type { Catalog } from "./open.ts";

/** A manifest as it is served with `urls` on its layers: what it is made from, and how. */
export interface VariantRecord {
  readonly digest: Digest;
  readonly original: Digest;
  /** The recipe, as JSON: with the original's bytes it makes the same bytes for ever. */
  readonly urls: string;
}

/** Writes variants down, all or none; once this has resolved, every instance can serve them. */
export async function putVariants(catalog: Catalog, variants: readonly VariantRecord[]): Promise<void> {
  const createdAt = new Date().toISOString();
  // A statement that inserts many must not meet its own row again.
  const rows = [...new Map(variants.map((variant) => [variant.digest, { ...variant, createdAt }])).values()];
  const chunks = [...chunksOf(rows)];
  const insert = async (writer: Catalog) => {
    for (const chunk of chunks) {
      await writer
        .insertInto("variant")
        .values(chunk)
        .onConflict((c) => c.doNothing())
        .execute();
    }
  };
  // One statement is all or nothing by itself.
  if (chunks.length <= 1) return insert(catalog);
  await catalog.transaction().execute(insert);
}

export function putVariant(catalog: Catalog, variant: VariantRecord): Promise<void> {
  return putVariants(catalog, [variant]);
}

export async function readVariant(catalog: Catalog, digest: Digest): Promise<VariantRecord | undefined> {
  return catalog
    .selectFrom("variant")
    .select(["digest", "original", "urls"])
    .where("digest", "=", digest)
    .executeTakeFirst();
}
