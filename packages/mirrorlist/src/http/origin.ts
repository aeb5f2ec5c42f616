import { type FileHandle, open } from "node:fs/promises";
import type { Digest } from "@nearlayer/shared/digest";
import { pubBlobPath, storeBlobPath } from "@nearlayer/shared/tree";
import type { ServedBlob } from "../served/blob-table.ts";
import { type Ctx, setDigest } from "./answers.ts";
import { parseRange } from "./range.ts";

/** Streams a blob out of the tree, whole or in part. Returns what went wrong before anything was sent. */
export async function sendFromTree(ctx: Ctx, root: string, digest: Digest, blob: ServedBlob): Promise<unknown> {
  let file: FileHandle;
  try {
    file = await openBlob(root, digest, blob);
  } catch (error) {
    return error;
  }
  const etag = setDigest(ctx, digest);
  const ifRange = ctx.get("if-range");
  const range = ifRange === "" || ifRange === etag ? parseRange(ctx.get("range"), blob.size) : "whole";
  ctx.set("Accept-Ranges", "bytes");
  ctx.set("Content-Type", "application/octet-stream");
  if (range === "unsatisfiable") {
    await file.close();
    ctx.status = 416;
    ctx.set("Content-Range", `bytes */${blob.size}`);
    ctx.body = "";
    return undefined;
  }
  if (range === "whole") {
    ctx.status = 200;
    ctx.body = file.createReadStream();
    ctx.length = blob.size;
    return undefined;
  }
  ctx.status = 206;
  ctx.set("Content-Range", `bytes ${range.start}-${range.end}/${blob.size}`);
  ctx.body = file.createReadStream({ start: range.start, end: range.end });
  ctx.length = range.end - range.start + 1;
  return undefined;
}

/** What is published stands in `pub/`; what is about to go, or not yet there, only in the store. */
async function openBlob(root: string, digest: Digest, { size, placements }: ServedBlob): Promise<FileHandle> {
  const paths = [...placements.map(({ platform }) => pubBlobPath(root, platform, digest)), storeBlobPath(root, digest)];
  let failure: unknown;
  for (const path of paths) {
    try {
      const file = await open(path, "r");
      const found = (await file.stat()).size;
      if (found === size) return file;
      await file.close();
      failure = new Error(`${path} has ${found} bytes, not ${size}`);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}
