import type { Insertable } from "kysely";
import type { Digest } from "../digest.ts";
import { artifactTypeOf, blobsOf, carriedBlobsOf } from "../manifest.ts";
import type { Platform } from "../platform.ts";
import type { ImageRecord, ManifestRecord } from "./images.ts";
import type { CatalogSchema } from "./schema.ts";

/** The rows of an image below its tag, each once: a statement that inserts many must not meet its own row again. */
export interface ImageRows {
  readonly manifests: readonly Insertable<CatalogSchema["manifest"]>[];
  readonly repositoryManifests: readonly Insertable<CatalogSchema["repositoryManifest"]>[];
  readonly manifestRefs: readonly Insertable<CatalogSchema["manifestRef"]>[];
  readonly manifestPlatforms: readonly Insertable<CatalogSchema["manifestPlatform"]>[];
  readonly blobs: readonly Insertable<CatalogSchema["blob"]>[];
  readonly platformBlobs: readonly Insertable<CatalogSchema["platformBlob"]>[];
}

/**
 * `next` gives the number of a platform's next generation, which a blob that is new in it belongs to; `revision` is
 * stamped on what the mirror list reads.
 */
export function rowsOf(image: ImageRecord, next: (platform: Platform) => number, revision: number): ImageRows {
  const manifests = [...new Map(image.manifests.map((record) => [record.digest, record])).values()];
  return {
    manifests: manifests.map(({ digest, bytes, manifest }) => ({
      digest,
      mediaType: manifest.mediaType,
      bytes,
      artifactType: artifactTypeOf(manifest) ?? null,
      subject: manifest.subject?.digest ?? null,
      annotations: manifest.annotations ? JSON.stringify(manifest.annotations) : null,
    })),
    repositoryManifests: manifests.map(({ digest }) => ({ repository: image.repository, digest, revision })),
    manifestRefs: manifests.flatMap(refsOf),
    manifestPlatforms: manifests.flatMap(({ digest, platforms }) =>
      platforms.map((platform) => ({ digest, platform })),
    ),
    ...blobRowsOf(manifests, image.contents, next, revision),
  };
}

function refsOf({ digest: parent, manifest }: ManifestRecord): ImageRows["manifestRefs"] {
  if (manifest.kind === "index") {
    return manifest.manifests.map(({ digest: child }, position) => ({ parent, position, child, role: "manifest" }));
  }
  return blobsOf(manifest).map(({ digest: child }, position) => ({
    parent,
    position,
    child,
    role: position === 0 ? "config" : "layer",
  }));
}

function blobRowsOf(
  manifests: readonly ManifestRecord[],
  contents: ReadonlyMap<Digest, Uint8Array>,
  next: (platform: Platform) => number,
  revision: number,
): Pick<ImageRows, "blobs" | "platformBlobs"> {
  const blobs = new Map<Digest, ImageRows["blobs"][number]>();
  const platformBlobs = new Map<string, ImageRows["platformBlobs"][number]>();
  for (const { manifest, platforms } of manifests) {
    if (manifest.kind !== "image") continue;
    for (const { digest, size } of carriedBlobsOf(manifest)) {
      blobs.set(digest, { digest, size, content: contents.get(digest) ?? null });
      for (const platform of platforms) {
        const row = { platform, digest, since: next(platform), until: null, revision };
        platformBlobs.set(`${platform} ${digest}`, row);
      }
    }
  }
  return { blobs: [...blobs.values()], platformBlobs: [...platformBlobs.values()] };
}
