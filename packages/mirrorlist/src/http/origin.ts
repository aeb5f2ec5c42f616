import type { ReadStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import type { Digest } from "@nearlayer/shared/digest";
import { pubBlobPath, storeBlobPath } from "@nearlayer/shared/tree";
import type { ServedBlob } from "../served/blob-table.ts";
import { specError } from "../spec-error.ts";
import { type Ctx, sendError, setDigest } from "./answers.ts";
import { matchesEtag, parseRange } from "./range.ts";

/** Streams a blob out of the tree, whole or in part. Returns what went wrong before anything was sent. */
export async function sendFromTree(ctx: Ctx, root: string, digest: Digest, blob: ServedBlob): Promise<unknown> {
  const etag = setDigest(ctx, digest);
  if (matchesEtag(ctx.get("if-none-match") || undefined, etag)) {
    ctx.status = 304;
    return undefined;
  }
  let file: FileHandle;
  try {
    file = await openBlob(root, digest, blob);
  } catch (error) {
    return error;
  }
  const ifRange = ctx.get("if-range");
  const range = ifRange === "" || ifRange === etag ? parseRange(ctx.get("range"), blob.size) : "whole";
  ctx.set("Accept-Ranges", "bytes");
  ctx.set("Content-Type", "application/octet-stream");
  if (range === "unsatisfiable") {
    await file.close();
    ctx.set("Content-Range", `bytes */${blob.size}`);
    sendError(ctx, specError("UNSUPPORTED", "the range begins after the end of the blob", ctx.get("range"), 416));
    return undefined;
  }
  if (range === "whole") {
    ctx.status = 200;
    ctx.body = counted(ctx, file.createReadStream());
    ctx.length = blob.size;
    return undefined;
  }
  ctx.status = 206;
  ctx.set("Content-Range", `bytes ${range.start}-${range.end}/${blob.size}`);
  ctx.body = counted(ctx, file.createReadStream({ start: range.start, end: range.end }));
  ctx.length = range.end - range.start + 1;
  return undefined;
}

function counted(ctx: Ctx, stream: ReadStream): ReadStream {
  ctx.state.entry.originBytes = () => stream.bytesRead;
  return stream;
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
