import type { Digest } from "@nearlayer/shared/digest";
import type { Repository } from "@nearlayer/shared/reference";
import { pubBlobName } from "@nearlayer/shared/tree";
import { agentOf } from "../delivery/agents.ts";
import { AFTER_MIRRORS } from "../delivery/recipe.ts";
import { wantedBy } from "../pull/attempts.ts";
import { chooseMirror } from "../pull/choose-mirror.ts";
import { pullerOf } from "../pull/failover.ts";
import { rankName } from "../selection/rank.ts";
import type { ServedBlob } from "../served/blob-table.ts";
import type { Snapshot } from "../served/snapshot.ts";
import { specError } from "../spec-error.ts";
import { type Ctx, queryOf, sendBytes, sendError, setDigest } from "./answers.ts";
import type { Context } from "./deps.ts";
import { sendFromTree } from "./origin.ts";

const OCTETS = "application/octet-stream";
const [AFTER, MIRRORS] = AFTER_MIRRORS.split("=") as [string, string];

/** A blob: its head and the small ones from here, a layer by a redirect to a mirror or, last, from the origin. */
export async function answerBlob(
  ctx: Ctx,
  context: Context,
  snapshot: Snapshot,
  repository: Repository,
  digest: Digest,
): Promise<void> {
  const { entry, client, forwarded } = ctx.state;
  entry.reference = digest;
  const blob = snapshot.blobs.get(digest);
  if (blob === undefined) return sendError(ctx, specError("BLOB_UNKNOWN", "no such blob here", digest));
  const content = snapshot.contents.get(digest);
  if (content !== undefined) return sendBytes(ctx, digest, OCTETS, content);
  if (ctx.method === "HEAD") return sendHead(ctx, digest, blob);
  if (queryOf(ctx).get(AFTER) === MIRRORS) return sendFromOrigin(ctx, context, digest, blob, "tried");

  const userAgent = ctx.get("user-agent");
  const httpsOnly = forwarded.scheme === "https" && agentOf(userAgent).refusesDowngrade === true;
  const puller = pullerOf(client, userAgent, repository);
  const wanted = wantedBy(ctx.get("range"));
  const { candidate, failover } = await chooseMirror(context, { client, puller, digest, blob, wanted, httpsOnly });
  if (failover > 0) entry.failover = failover;
  if (candidate === undefined) return sendFromOrigin(ctx, context, digest, blob, failover > 0 ? "failed" : "none");
  redirect(
    ctx,
    `${candidate.mirror.url}${pubBlobName(candidate.platform, digest)}`,
    candidate.mirror.name,
    rankName(candidate.rank),
  );
}

function sendHead(ctx: Ctx, digest: Digest, { size }: ServedBlob): void {
  setDigest(ctx, digest);
  ctx.status = 200;
  ctx.set("Content-Type", OCTETS);
  ctx.set("Accept-Ranges", "bytes");
  ctx.set("Content-Length", String(size));
}

/** `why` is about the mirrors: there are none for it, they have failed, or the client has tried them by itself. */
async function sendFromOrigin(
  ctx: Ctx,
  { config, log }: Context,
  digest: Digest,
  blob: ServedBlob,
  why: "none" | "failed" | "tried",
): Promise<void> {
  const { origin } = config.mirrorlist;
  const [placement] = blob.placements;
  if (origin !== "serve" && placement !== undefined) {
    return redirect(ctx, `${origin}${pubBlobName(placement.platform, digest)}`, "origin", why);
  }
  nameChoice(ctx, "origin", why);
  const error = await sendFromTree(ctx, config.root, digest, blob);
  if (error === undefined) return;
  log.error({ digest, err: error }, "a blob of the catalog is not in the tree");
  sendError(ctx, specError("UNKNOWN", "the blob cannot be read just now", digest, 503));
}

/** 307, because a client may come with any method that a redirect must keep; and never remembered by anybody. */
function redirect(ctx: Ctx, location: string, mirror: string, rank: string): void {
  nameChoice(ctx, mirror, rank);
  // Koa makes a null body a 204: the status comes after it.
  ctx.body = null;
  ctx.status = 307;
  ctx.set("Location", location);
  ctx.set("Cache-Control", "no-store");
}

function nameChoice(ctx: Ctx, mirror: string, rank: string): void {
  Object.assign(ctx.state.entry, { mirror, rank });
  ctx.set("Nearlayer-Mirror", `${mirror}; rank=${rank}`);
}
