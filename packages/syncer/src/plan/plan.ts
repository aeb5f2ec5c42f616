import type { Digest } from "@nearlayer/shared/digest";
import { carriedBlobsOf } from "@nearlayer/shared/manifest";
import type { Platform } from "@nearlayer/shared/platform";
import type { Repository } from "@nearlayer/shared/reference";
import type { SourceImage } from "../source/image.ts";

/** A blob that an image needs: where it can be had, and where it goes. */
export interface PlannedBlob {
  readonly digest: Digest;
  readonly size: number;
  /** A repository of the source that has it, and a few others that should. */
  readonly repository: Repository;
  readonly alsoIn?: readonly Repository[];
  readonly platforms: readonly Platform[];
  /** The bytes, when reading the image has fetched them already. */
  readonly content?: Uint8Array;
}

/** An image that is to be carried, and the blobs that it needs. */
export interface PlannedImage {
  readonly repository: Repository;
  readonly image: SourceImage;
  readonly blobs: readonly Digest[];
}

/** What a sync is going to do. Made of what was read alone, so that it can be shown before anything is done. */
export interface SyncPlan<Image extends PlannedImage = PlannedImage> {
  readonly images: readonly Image[];
  /** Each blob of all images once, whatever the number of images and platforms that use it. */
  readonly blobs: ReadonlyMap<Digest, PlannedBlob>;
}

/** How many repositories a blob is looked for in, when the first ones have lost it. */
const MAX_PLACES = 4;

/** Lays out what the images need. */
export function planSync<Source extends { repository: Repository; image: SourceImage }>(
  sources: readonly Source[],
): SyncPlan<Source & PlannedImage> {
  const blobs = new Map<Digest, PlannedBlob>();
  const images = sources.map((source) => {
    const needed = new Set<Digest>();
    for (const { manifest, platforms } of source.image.manifests) {
      if (manifest.kind !== "image") continue;
      for (const { digest, size } of carriedBlobsOf(manifest)) {
        needed.add(digest);
        const before = blobs.get(digest);
        const content = before?.content ?? source.image.contents.get(digest);
        const places = before === undefined ? [] : [before.repository, ...(before.alsoIn ?? [])];
        const [repository = source.repository, ...alsoIn] = [...new Set([...places, source.repository])];
        blobs.set(digest, {
          digest,
          size,
          repository,
          ...(alsoIn.length === 0 ? {} : { alsoIn: alsoIn.slice(0, MAX_PLACES) }),
          platforms: [...new Set([...(before?.platforms ?? []), ...platforms])],
          ...(content === undefined ? {} : { content }),
        });
      }
    }
    return { ...source, blobs: [...needed] };
  });
  return { images, blobs };
}
