import type { Repository } from "@nearlayer/shared/reference";
import { chooseDelivery, configuredDelivery } from "../delivery/choose.ts";
import { isPinned } from "../delivery/pinned.ts";
import { type Puller, pullerOf } from "../pull/failover.ts";
import { isRerun, noteOriginal, noteVariant } from "../pull/note-manifest.ts";
import { type Ready, whenReady } from "../ready.ts";
import type { ManifestReference } from "../request.ts";
import { bytesOf, type ServedManifest, type ServedRepository, type Snapshot } from "../served/snapshot.ts";
import { specError } from "../spec-error.ts";
import type { Variant } from "../variants/variants.ts";
import { writeUrls } from "../variants/write-urls.ts";
import { type Ctx, queryOf, sendBytes, sendError } from "./answers.ts";
import type { Context } from "./deps.ts";

/** A manifest that is asked for, what it is looked for in, and what there is. */
interface ManifestRequest {
  readonly snapshot: Snapshot;
  readonly name: Repository;
  readonly repository: ServedRepository;
  readonly reference: ManifestReference;
  readonly manifest: ServedManifest | undefined;
}

/** A manifest by tag or digest: the exact bytes, or, by tag and for clients that gain from it, a variant with urls. */
export function answerManifest(ctx: Ctx, context: Context, request: ManifestRequest): Ready<void> {
  const { entry, client } = ctx.state;
  const { snapshot, repository, reference, manifest } = request;
  const puller = pullerOf(client, ctx.get("user-agent"), request.name);
  entry.reference = "tag" in reference ? reference.tag : reference.digest;
  if (manifest === undefined) {
    const found = "digest" in reference ? findVariant(context, snapshot, repository, reference) : undefined;
    return whenReady(found, (variant) => {
      if (variant !== undefined) giveVariant(ctx, context, snapshot, puller, variant);
      else sendError(ctx, specError("MANIFEST_UNKNOWN", "no such manifest", entry.reference));
    });
  }
  const written = "tag" in reference ? urlsFor(ctx, context, request, puller, manifest) : undefined;
  return whenReady(written, (variant) => {
    if (variant !== undefined) giveVariant(ctx, context, snapshot, puller, variant);
    else giveOriginal(ctx, context, puller, manifest);
  });
}

/** A HEAD begins no pull. */
function giveOriginal(ctx: Ctx, { failover }: Context, puller: Puller, manifest: ServedManifest): void {
  if (ctx.method === "GET") noteOriginal(failover, puller, manifest);
  ctx.state.entry.delivery = "original";
  sendBytes(ctx, manifest.digest, manifest.mediaType, bytesOf(manifest));
}

function giveVariant(ctx: Ctx, { failover }: Context, snapshot: Snapshot, puller: Puller, variant: Variant): void {
  if (ctx.method === "GET") noteVariant(failover, puller, snapshot, variant);
  const { digest, original, mediaType, bytes } = variant;
  ctx.state.entry.delivery = "urls";
  ctx.set("Nearlayer-Delivery", `urls; original=${original}`);
  sendBytes(ctx, digest, mediaType, bytes);
}

/** A variant can be asked for wherever its original can. */
function findVariant(
  context: Context,
  snapshot: Snapshot,
  repository: ServedRepository,
  { digest }: Extract<ManifestReference, { digest: unknown }>,
): Promise<Variant | undefined> {
  return context.variants.find(digest, (original) =>
    repository.manifests.has(original) ? snapshot.manifests.get(original) : undefined,
  );
}

function urlsFor(
  ctx: Ctx,
  context: Context,
  { snapshot, name, repository }: ManifestRequest,
  puller: Puller,
  manifest: ServedManifest,
): Ready<Variant | undefined> {
  const { delivery, why } = chooseDelivery({
    configured: configuredDelivery(context.config.mirrorlist, name),
    override: queryOf(ctx).get("delivery") ?? undefined,
    userAgent: ctx.get("user-agent"),
    byDigest: false,
    isPinned: isPinned(snapshot, repository, manifest),
  });
  if (delivery !== "urls") return undefined;
  // Its mirrors have failed: with the original, each layer is asked for here, and is sent to the next mirror.
  if (why !== "asked" && ctx.method === "GET" && isRerun(context.failover, puller, snapshot, manifest))
    return undefined;
  const baseUrl = context.baseUrlOf(ctx.state.forwarded);
  if (baseUrl === undefined) return undefined;
  const { client } = ctx.state;
  return writeUrls(context, { snapshot, name, repository, served: manifest, client, baseUrl });
}
