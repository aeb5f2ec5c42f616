import type { Ready } from "../ready.ts";
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
 * stand here. Undefined when the answer is complete already, as nearly all are.
 */
export function answerRegistry(ctx: Ctx, context: Context, path: string): Ready<void> {
  ctx.set("Docker-Distribution-API-Version", "registry/2.0");
  // 2. What is asked.
  const asked = parseRequest(ctx.method, path);
  const { entry } = ctx.state;
  entry.kind = asked.kind;
  // 3. One snapshot for the whole request.
  const snapshot = context.snapshot();
  if (asked.kind === "error") sendError(ctx, asked);
  else if (asked.kind === "version") sendJson(ctx, {});
  else if (asked.kind === "catalog") answerCatalog(ctx, snapshot);
  else return answerFrom(ctx, context, snapshot, asked, false);
  return undefined;
}

type AskedOfRepository = Extract<Asked, { readonly repository: unknown }>;

function answerFrom(
  ctx: Ctx,
  context: Context,
  snapshot: Snapshot,
  asked: AskedOfRepository,
  isNewest: boolean,
): Ready<void> {
  const repository = snapshot.repositories.get(asked.repository);
  // Another instance may have told the client of what has not come here yet. A variant is in no snapshot.
  const askNewest = () => context.newest().then((newest) => answerFrom(ctx, context, newest, asked, true));
  ctx.state.entry.repository = asked.repository;
  if (repository === undefined) {
    if (!isNewest) return askNewest();
    sendError(ctx, specError("NAME_UNKNOWN", "no such repository here", asked.repository));
    return undefined;
  }
  switch (asked.kind) {
    case "tags":
      answerTags(ctx, asked.repository, repository);
      return undefined;
    case "referrers":
      answerReferrers(ctx, snapshot, repository, asked.digest);
      return undefined;
    case "manifest": {
      const { reference } = asked;
      const manifest = findManifest(snapshot, repository, reference);
      if (manifest === undefined && !isNewest) return askNewest();
      return answerManifest(ctx, context, { snapshot, name: asked.repository, repository, reference, manifest });
    }
    case "blob": {
      const blob = snapshot.blobs.get(asked.digest);
      if (blob === undefined && !isNewest) return askNewest();
      return answerBlob(ctx, context, { snapshot, repository: asked.repository, digest: asked.digest, blob });
    }
  }
}
