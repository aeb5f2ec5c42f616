import { readFile } from "node:fs/promises";
import type { Digest } from "@nearlayer/shared/digest";
import { NearlayerError } from "@nearlayer/shared/errors";
import { carriedBlobsOf } from "@nearlayer/shared/manifest";
import { storeBlobPath } from "@nearlayer/shared/tree";
import type { PlannedBlob, PlannedImage } from "../plan/plan.ts";
import { linkBlob } from "../publish/tree.ts";
import type { RegistryClient } from "../source/client.ts";
import { MAX_CONFIG_BYTES, type SourceImage } from "../source/image.ts";
import { sizeOf, syncFolders } from "../store/durable.ts";
import { ingest } from "../store/ingest.ts";
import type { StoreContext } from "./context.ts";

/** Brings a planned blob into the store, from what was read already or from the source. Returns the bytes that came. */
export async function carryBlob(
  { root }: StoreContext,
  client: RegistryClient,
  { digest, size, repository, content }: PlannedBlob,
): Promise<number> {
  return ingest(root, { digest, size, ref: `${repository}@${digest}` }, (offset, write) =>
    content === undefined ? client.readBlob(repository, digest, offset, write) : write({ offset: 0, body: [content] }),
  );
}

/** Shows all blobs of an image in the tree, durably, after a check that each is what the image says it is. */
export async function showImage(
  { root }: StoreContext,
  { image, blobs }: PlannedImage,
  planned: ReadonlyMap<Digest, PlannedBlob>,
): Promise<void> {
  for (const { manifest } of image.manifests) {
    if (manifest.kind !== "image") continue;
    for (const { digest, size } of carriedBlobsOf(manifest)) {
      // Two manifests can name one digest with different sizes; only one of them can be right.
      const stored = await sizeOf(storeBlobPath(root, digest));
      if (stored !== size) {
        throw new NearlayerError("SIZE_MISMATCH", `blob ${digest} has ${stored} bytes, the manifest says ${size}`);
      }
    }
  }
  const links = blobs.flatMap((digest) =>
    (planned.get(digest)?.platforms ?? []).map((platform) => linkBlob(root, platform, digest)),
  );
  await syncFolders((await Promise.all(links)).filter((folder) => folder !== undefined));
}

/** The small configurations of an image, which the mirror list serves from the catalog. */
export async function readContents(root: string, image: SourceImage): Promise<Map<Digest, Uint8Array>> {
  const contents = new Map(image.contents);
  for (const { manifest } of image.manifests) {
    if (manifest.kind !== "image") continue;
    const { digest, size } = manifest.config;
    if (size > MAX_CONFIG_BYTES || contents.has(digest)) continue;
    contents.set(digest, await readFile(storeBlobPath(root, digest)));
  }
  return contents;
}
