import type { Digest } from "../digest.ts";
import type { Catalog } from "./open.ts";

/** A manifest as it is served with `urls` on its layers: what it is made from, and how. */
export interface VariantRecord {
  readonly digest: Digest;
  readonly original: Digest;
  /** The recipe, as JSON: with the original's bytes it makes the same bytes for ever. */
  readonly urls: string;
}

/** Writes a variant down; once this has resolved, every instance can serve it. */
export async function putVariant(catalog: Catalog, variant: VariantRecord): Promise<void> {
  await catalog
    .insertInto("variant")
    .values({ ...variant, createdAt: new Date().toISOString() })
    .onConflict((c) => c.doNothing())
    .execute();
}

export async function readVariant(catalog: Catalog, digest: Digest): Promise<VariantRecord | undefined> {
  return catalog
    .selectFrom("variant")
    .select(["digest", "original", "urls"])
    .where("digest", "=", digest)
    .executeTakeFirst();
}
