import { readFile } from "node:fs/promises";
import type { Digest } from "@nearlayer/shared/digest";
import { isNearlayerError, NearlayerError } from "@nearlayer/shared/errors";
import { isDiskFull } from "@nearlayer/shared/exit";
import { carriedBlobsOf } from "@nearlayer/shared/manifest";
import type { Repository } from "@nearlayer/shared/reference";
import { storeBlobPath } from "@nearlayer/shared/tree";
import PQueue from "p-queue";
import type { PlannedBlob, PlannedImage } from "../plan/plan.ts";
import { linkBlob } from "../publish/tree.ts";
import { readBounded } from "../source/body.ts";
import { MAX_CONFIG_BYTES, type SourceImage } from "../source/image.ts";
import type { Source } from "../source/source.ts";
import { adopt } from "../store/adopt.ts";
import { putBlob } from "../store/blob-file.ts";
import { type FlushLater, sizeOf, syncFolders } from "../store/durable.ts";
import { type Give, ingest } from "../store/ingest.ts";
import type { StoreContext } from "./context.ts";

/** What carrying a blob needs. */
export type CarryContext = Pick<StoreContext, "root" | "run"> & {
  /** Where many blobs are carried: the folders that are to be flushed after all of them. */
  readonly flushLater?: FlushLater;
};

/**
 * Up to this size a blob is fetched into memory, in bytes: a lock, a file that can be gone on with, and the folder around
 * both cost more than to fetch it twice, should two processes want it at once.
 */
const SMALL_BYTES = 64 * 1024;

/**
 * Brings a planned blob into the store, from what was read already or from the source. Returns the bytes that came.
 * Where the source has lost it in one repository, the others that it was planned for are asked.
 */
export async function carryBlob(
  context: CarryContext,
  source: Source,
  blob: PlannedBlob,
  onOffset?: (offset: number) => void,
): Promise<number> {
  const [first, ...others] = [blob.repository, ...(blob.alsoIn ?? [])];
  try {
    return await carryFrom(context, source, blob, first, onOffset);
  } catch (error) {
    const [repository, ...alsoIn] = others;
    if (repository === undefined || !isNearlayerError(error, "NOT_FOUND")) throw error;
    return carryBlob(context, source, { ...blob, repository, alsoIn }, onOffset).catch(() => Promise.reject(error));
  }
}

async function carryFrom(
  { root, run, flushLater }: CarryContext,
  source: Source,
  { digest, size, content }: PlannedBlob,
  repository: Repository,
  onOffset?: (offset: number) => void,
): Promise<number> {
  const wanted = { digest, size, ref: `${repository}@${digest}` };
  if (content !== undefined) return (await putBlob(root, wanted, content, flushLater)) ? size : 0;
  if (sizeOf(storeBlobPath(root, digest)) === size) return 0;
  const file = await source.fileOfBlob?.(repository, digest);
  if (file !== undefined && (await adopt(root, wanted, file, flushLater))) return size;
  // Each attempt goes on where the one before broke off.
  return source.withRetries(async () => {
    if (size > SMALL_BYTES) {
      const give: Give = (offset, write) => source.readBlob(repository, digest, offset, write);
      return ingest(root, wanted, give, { signal: run.signal, onOffset, flushLater });
    }
    const bytes = await source.readBlob(repository, digest, 0, ({ pour }) => readBounded(pour, size, wanted.ref));
    if (bytes.length !== size) {
      throw new NearlayerError("SIZE_MISMATCH", `${wanted.ref}: ended after ${bytes.length} of ${size} bytes`);
    }
    return (await putBlob(root, wanted, bytes, flushLater)) ? size : 0;
  });
}

/** How many images are shown side by side. */
const IMAGES_AT_ONCE = 32;

/**
 * Shows all blobs of images in the tree, after a check that each is what the image says it is. Once this is over, the
 * names are durable; a folder that many of them are in is flushed once. Returns why, of images that could not be shown.
 */
export async function showImages<Image extends PlannedImage>(
  context: Pick<StoreContext, "root">,
  images: readonly Image[],
  planned: ReadonlyMap<Digest, PlannedBlob>,
): Promise<Map<Image, unknown>> {
  const errors = new Map<Image, unknown>();
  const flushLater: FlushLater = new Set();
  const queue = new PQueue({ concurrency: IMAGES_AT_ONCE });
  const show = async (image: Image) => {
    try {
      await showImage(context, image, planned, flushLater);
    } catch (error) {
      if (isDiskFull(error)) throw error;
      errors.set(image, error);
    }
  };
  await queue.addAll(images.map((image) => () => show(image)));
  await syncFolders(flushLater);
  return errors;
}

async function showImage(
  { root }: Pick<StoreContext, "root">,
  { image, blobs }: PlannedImage,
  planned: ReadonlyMap<Digest, PlannedBlob>,
  flushLater: FlushLater,
): Promise<void> {
  for (const { manifest } of image.manifests) {
    if (manifest.kind !== "image") continue;
    for (const { digest, size } of carriedBlobsOf(manifest)) {
      // Two manifests can name one digest with different sizes; only one of them can be right.
      const stored = sizeOf(storeBlobPath(root, digest));
      if (stored !== size) {
        throw new NearlayerError("SIZE_MISMATCH", `blob ${digest} has ${stored} bytes, the manifest says ${size}`);
      }
    }
  }
  const links = blobs.flatMap((digest) =>
    (planned.get(digest)?.platforms ?? []).map((platform) => linkBlob(root, platform, digest, flushLater)),
  );
  await Promise.all(links);
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
