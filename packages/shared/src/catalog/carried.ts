import type { Digest } from "../digest.ts";
import type { Platform } from "../platform.ts";
import type { Catalog } from "./open.ts";

/** A blob that a mirror has to have, since a generation. */
export interface CarriedBlob {
  readonly digest: Digest;
  readonly size: number;
  readonly since: number;
}

/** What a mirror holds that has come from one generation of a platform to another. */
export interface Span {
  readonly platform: Platform;
  /** The generation that was counted before; 0 for a mirror that is new. */
  readonly after: number;
  readonly upTo: number;
}

/** The newest blobs of a span that are still published, the newest first. Cost: the rows that are read. */
export async function readNewestCarried(catalog: Catalog, span: Span, limit: number): Promise<CarriedBlob[]> {
  return carried(catalog, span).orderBy("since", "desc").orderBy("platformBlob.digest", "desc").limit(limit).execute();
}

/** Blobs of a span from a digest on, in their order. Cheap where the span is a good part of the platform. */
export async function readCarriedFrom(
  catalog: Catalog,
  span: Span,
  from: string,
  limit: number,
  before = "sha256:g",
): Promise<CarriedBlob[]> {
  return (
    carried(catalog, span)
      .where("platformBlob.digest", ">=", from as Digest)
      .where("platformBlob.digest", "<", before as Digest)
      // The same once more, as everywhere that both are joined: docs/catalog.md says why.
      .where("blob.digest", ">=", from as Digest)
      .orderBy("platformBlob.digest")
      .limit(limit)
      .execute()
  );
}

/** Those of these blobs that belong to a span. */
export async function readCarried(catalog: Catalog, span: Span, digests: readonly Digest[]): Promise<CarriedBlob[]> {
  if (digests.length === 0) return [];
  return carried(catalog, span).where("platformBlob.digest", "in", digests).execute();
}

function carried(catalog: Catalog, { platform, after, upTo }: Span) {
  return catalog
    .selectFrom("platformBlob")
    .innerJoin("blob", "blob.digest", "platformBlob.digest")
    .select(["platformBlob.digest", "blob.size", "since"])
    .where("platform", "=", platform)
    .where("since", ">", after)
    .where("since", "<=", upTo)
    .where("until", "is", null);
}
