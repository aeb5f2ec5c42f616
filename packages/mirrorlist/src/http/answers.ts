import type { Digest } from "@nearlayer/shared/digest";
import { type SpecError, specErrorBody } from "../spec-error.ts";
import type { Ctx } from "./exchange.ts";
import { matchesEtag } from "./range.ts";

export type { Ctx } from "./exchange.ts";

/** Koa takes a Buffer for bytes and any other array for JSON. The bytes are not copied. */
const bufferOf = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The name of the answer's bytes, by which clients check them and caches know them. */
export function setDigest(ctx: Ctx, digest: Digest): string {
  const etag = `"${digest}"`;
  ctx.set("Docker-Content-Digest", digest);
  ctx.set("ETag", etag);
  ctx.state.entry.digest = digest;
  return etag;
}

/** Answers with bytes that are in memory, HEAD and GET alike, or with 304 when the client has them. */
export function sendBytes(ctx: Ctx, digest: Digest, mediaType: string, bytes: Uint8Array): void {
  const etag = setDigest(ctx, digest);
  if (matchesEtag(ctx.get("if-none-match") || undefined, etag)) {
    ctx.status = 304;
    return;
  }
  ctx.status = 200;
  ctx.set("Content-Type", mediaType);
  ctx.body = bufferOf(bytes);
}

export function sendJson(ctx: Ctx, value: unknown, mediaType = "application/json"): void {
  ctx.status = 200;
  ctx.set("Content-Type", mediaType);
  ctx.body = Buffer.from(JSON.stringify(value));
}

/** Answers with the specification's error JSON. */
export function sendError(ctx: Ctx, error: SpecError): void {
  ctx.state.entry.error = error.code;
  ctx.status = error.status;
  ctx.set("Content-Type", "application/json");
  // They name the bytes that were asked for, and these are others.
  ctx.remove("Docker-Content-Digest");
  ctx.remove("ETag");
  delete ctx.state.entry.digest;
  if (error.status === 405) ctx.set("Allow", "GET, HEAD");
  ctx.body = Buffer.from(specErrorBody(error));
}

const NO_QUERY = new URLSearchParams();

/** The query, from the request line as it was sent. */
export function queryOf(ctx: Ctx): URLSearchParams {
  const target = ctx.req.url ?? "";
  const query = target.indexOf("?");
  return query < 0 ? NO_QUERY : new URLSearchParams(target.slice(query + 1));
}
