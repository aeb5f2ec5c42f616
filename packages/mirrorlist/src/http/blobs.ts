import type { Digest } from "@nearlayer/shared/digest";
import type { Repository } from "@nearlayer/shared/reference";
import { pubBlobName } from "@nearlayer/shared/tree";
import { agentOf } from "../delivery/agents.ts";
import { AFTER_MIRRORS } from "../delivery/recipe.ts";
import { wantedBy } from "../pull/attempts.ts";
import { chooseMirror } from "../pull/choose-mirror.ts";
import { pullerOf } from "../pull/failover.ts";
import { type Ready, whenReady } from "../ready.ts";
import { rankName } from "../selection/rank.ts";
import type { ServedBlob } from "../served/blob-table.ts";
import { unpack } from "../served/packed.ts";
import type { Snapshot } from "../served/snapshot.ts";
import { specError } from "../spec-error.ts";
import { type Ctx, queryOf, sendBytes, sendError, setDigest } from "./answers.ts";
import type { Context } from "./deps.ts";
import { sendFromTree } from "./origin.ts";

const OCTETS = "application/octet-stream";
const [AFTER, MIRRORS] = AFTER_MIRRORS.split("=") as [string, string];

/** A blob that is asked for, and what the snapshot has of it. */
interface BlobRequest {
  readonly snapshot: Snapshot;
  readonly repository: Repository;
  readonly digest: Digest;
  readonly blob: ServedBlob | undefined;
}

/** A blob: its head and the small ones from here, a layer by a redirect to a mirror or, last, from the origin. */
export function answerBlob(
  ctx: Ctx,
  context: Context,
  { snapshot, repository, digest, blob }: BlobRequest,
): Ready<void> {
  ctx.state.entry.reference = digest;
  const content = snapshot.contents.get(digest);
  if (blob === undefined) sendError(ctx, specError("BLOB_UNKNOWN", "no such blob here", digest));
  else if (content !== undefined) sendBytes(ctx, digest, OCTETS, unpack(content));
  else if (ctx.method === "HEAD") sendHead(ctx, digest, blob);
  else if (queryOf(ctx).get(AFTER) === MIRRORS) return sendFromOrigin(ctx, context, digest, blob, "tried");
  else return answerLayer(ctx, context, repository, digest, blob);
  return undefined;
}

function answerLayer(
  ctx: Ctx,
  context: Context,
  repository: Repository,
  digest: Digest,
  blob: ServedBlob,
): Ready<void> {
  const { client, forwarded } = ctx.state;
  const userAgent = ctx.get("user-agent");
  const httpsOnly = forwarded.scheme === "https" && agentOf(userAgent).refusesDowngrade === true;
  const puller = pullerOf(client, userAgent, repository);
  const wanted = wantedBy(ctx.get("range"));
  const chosen = chooseMirror(context, { client, puller, digest, blob, wanted, httpsOnly });
  return whenReady(chosen, ({ candidate, failover }) => {
    if (failover > 0) ctx.state.entry.failover = failover;
    if (candidate === undefined) return sendFromOrigin(ctx, context, digest, blob, failover > 0 ? "failed" : "none");
    const { mirror, platform, rank } = candidate;
    context.redirected?.(mirror.name, blob.size);
    redirect(ctx, `${mirror.url}${pubBlobName(platform, digest)}`, mirror.name, rankName(rank));
    return undefined;
  });
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
  ctx.status = 307;
  ctx.set("Location", location);
  ctx.set("Cache-Control", "no-store");
}

function nameChoice(ctx: Ctx, mirror: string, rank: string): void {
  const { entry } = ctx.state;
  entry.mirror = mirror;
  entry.rank = rank;
  ctx.set("Nearlayer-Mirror", `${mirror}; rank=${rank}`);
}
