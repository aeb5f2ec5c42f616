import { type Asked, parseRequest } from "../request.ts";
import { findManifest, type Snapshot } from "../served/snapshot.ts";
import { specError } from "../spec-error.ts";
import { type Ctx, sendError, sendJson } from "./answers.ts";
import { answerBlob } from "./blobs.ts";
import type { Context } from "./deps.ts";
import { answerCatalog, answerReferrers, answerTags } from "./listings.ts";
import { answerManifest } from "./manifests.ts";

/**
 * Everything under `/v2/`; `path` is the raw one. The way of a request is in `docs/request-handling.md`, whose numbers
 * stand here.
 */
export async function answerRegistry(ctx: Ctx, context: Context, path: string): Promise<void> {
  ctx.set("Docker-Distribution-API-Version", "registry/2.0");
  // 2. What is asked.
  const asked = parseRequest(ctx.method, path);
  const { entry } = ctx.state;
  entry.kind = asked.kind;
  if (asked.kind === "error") return sendError(ctx, asked);
  if (asked.kind === "version") return sendJson(ctx, {});
  // 3. One snapshot for the whole request.
  let snapshot = context.snapshot();
  if (asked.kind === "catalog") return answerCatalog(ctx, snapshot);
  // Another instance may have told the client of what has not come here yet.
  if (!isKnown(snapshot, asked)) snapshot = await context.newest();
  entry.repository = asked.repository;
  const repository = snapshot.repositories.get(asked.repository);
  if (repository === undefined) {
    return sendError(ctx, specError("NAME_UNKNOWN", "no such repository here", asked.repository));
  }
  switch (asked.kind) {
    case "tags":
      return answerTags(ctx, asked.repository, repository);
    case "referrers":
      return answerReferrers(ctx, snapshot, repository, asked.digest);
    case "manifest":
      return answerManifest(ctx, context, snapshot, asked.repository, repository, asked.reference);
    case "blob":
      return answerBlob(ctx, context, snapshot, asked.repository, asked.digest);
  }
}

/** Is what is named in the snapshot? A variant never is. */
function isKnown(snapshot: Snapshot, asked: Extract<Asked, { readonly repository: unknown }>): boolean {
  const repository = snapshot.repositories.get(asked.repository);
  if (repository === undefined) return false;
  if (asked.kind === "manifest") return findManifest(snapshot, repository, asked.reference) !== undefined;
  return asked.kind !== "blob" || snapshot.blobs.get(asked.digest) !== undefined;
}
