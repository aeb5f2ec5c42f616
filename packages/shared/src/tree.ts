import { join } from "node:path";
import type { Digest } from "./digest.ts";
import type { Platform } from "./platform.ts";

/**
 * Where everything stands under `root` (and, from `pub/` on, on every mirror). Pure: names in, paths out.
 *
 *     store/blobs/sha256/<ab>/<hex>            every blob once
 *     store/ingest/<key>/                      downloads under way
 *     pub/<platform>/blobs/sha256/<ab>/<hex>   a hardlink into the store
 *     pub/zz-state/<platform>/GENERATION       sorts last: a plain rsync carries it after the blobs
 */

/** The folder in `pub/` that carries state; its name sorts after every platform. */
export const STATE_DIR = "zz-state";

const blobTail = (digest: Digest) => `blobs/sha256/${digest.slice(7, 9)}/${digest.slice(7)}`;

export const storeDir = (root: string) => join(root, "store");
export const pubDir = (root: string) => join(root, "pub");
export const ingestDir = (root: string) => join(root, "store", "ingest");
export const storeBlobPath = (root: string, digest: Digest) => join(root, "store", blobTail(digest));

/** A blob's path within `pub/` and within a mirror's base URL, with `/` between its parts. */
export const pubBlobName = (platform: Platform, digest: Digest) => `${platform}/${blobTail(digest)}`;
export const pubBlobPath = (root: string, platform: Platform, digest: Digest) =>
  join(root, "pub", pubBlobName(platform, digest));

/** The names below are relative to `pub/` too. */
export const generationName = (platform: Platform) => `${STATE_DIR}/${platform}/GENERATION`;
export const listName = (platform: Platform, number: number) => `${STATE_DIR}/${platform}/list-${number}.gz`;
export const deltaName = (platform: Platform, number: number) =>
  `${STATE_DIR}/${platform}/delta-${number - 1}-${number}.gz`;
