import { type CarriedBlob, readCarriedFrom, readNewestCarried, type Span } from "@nearlayer/shared/catalog/carried";
import type { Catalog } from "@nearlayer/shared/catalog/open";
import { createLru } from "../lru.ts";
import { type Random, sampleOf } from "./sample.ts";

/** Draws blobs that a mirror has to have. */
export interface BlobDraw {
  /** `isAll`: these are all that there are in the span. Throws while the catalog is out of reach. */
  draw(span: Span, count: number): Promise<{ readonly blobs: readonly CarriedBlob[]; readonly isAll: boolean }>;
}

/** How much of a span is read to draw from; what is larger is drawn from at random places too. */
const POOL = 512;
const PLACES = 4;
const PER_PLACE = 16;
const REMEMBERED = 20_000;
/** A blob that was taken out meanwhile is no longer asked for after this. */
const FRESH_MS = 60_000;

/**
 * Only what is drawn from is read: the newest of the span and, where that is not all of it, some from random places. The
 * cost hangs on neither the platform's size nor the number of mirrors that go the same way, since the pool is remembered.
 */
export function createBlobDraw(catalog: Catalog, random: Random, now: () => number): BlobDraw {
  const pools = createLru<string, Pool>(REMEMBERED, ({ blobs }) => blobs.length + 1);
  const poolOf = async (span: Span): Promise<Pool> => {
    const key = `${span.platform} ${span.after} ${span.upTo}`;
    const known = pools.get(key);
    if (known !== undefined && now() - known.at < FRESH_MS) return known;
    const newest = await readNewestCarried(catalog, span, POOL);
    const isAll = newest.length < POOL;
    const others: CarriedBlob[] = [];
    for (let place = 0; !isAll && place < PLACES; place += 1) {
      const from = `sha256:${Math.floor(random() * 2 ** 32)
        .toString(16)
        .padStart(8, "0")}`;
      others.push(...(await readCarriedFrom(catalog, span, from, PER_PLACE)));
    }
    const blobs = [...new Map([...newest, ...others].map((blob) => [blob.digest, blob])).values()];
    const pool = { blobs: blobs.sort((a, b) => b.since - a.since), isAll, at: now() };
    pools.set(key, pool);
    return pool;
  };
  return {
    async draw(span, count) {
      const { blobs, isAll } = await poolOf(span);
      return { blobs: sampleOf(blobs, count, random), isAll: isAll && blobs.length <= count };
    },
  };
}

interface Pool {
  readonly blobs: readonly CarriedBlob[];
  readonly isAll: boolean;
  readonly at: number;
}
