import type { Repository } from "@nearlayer/shared/reference";
import { chooseDelivery, configuredDelivery } from "../delivery/choose.ts";
import { whyPinned } from "../delivery/pinned.ts";
import { type Puller, pullerOf } from "../pull/failover.ts";
import { isRerun, noteOriginal, noteVariant } from "../pull/note-manifest.ts";
import type { ManifestReference } from "../request.ts";
import { findManifest, type ServedManifest, type ServedRepository, type Snapshot } from "../served/snapshot.ts";
import { specError } from "../spec-error.ts";
import type { Variant } from "../variants/variants.ts";
import { writeUrls } from "../variants/write-urls.ts";
import { type Ctx, queryOf, sendBytes, sendError } from "./answers.ts";
import type { Context } from "./deps.ts";

/** A manifest by tag or digest: the exact bytes, or, by tag and for clients that gain from it, a variant with urls. */
export async function answerManifest(
  ctx: Ctx,
  context: Context,
  snapshot: Snapshot,
  name: Repository,
  repository: ServedRepository,
  reference: ManifestReference,
): Promise<void> {
  const { entry, client } = ctx.state;
  const puller = pullerOf(client, ctx.get("user-agent"), name);
  entry.reference = "tag" in reference ? reference.tag : reference.digest;
  const manifest = findManifest(snapshot, repository, reference);
  if (manifest === undefined) {
    const variant = "digest" in reference ? await findVariant(context, snapshot, repository, reference) : undefined;
    if (variant === undefined)
      return sendError(ctx, specError("MANIFEST_UNKNOWN", "no such manifest", entry.reference));
    return giveVariant(variant);
  }
  const variant =
    "tag" in reference ? await urlsFor(ctx, context, snapshot, name, repository, manifest, puller) : undefined;
  if (variant !== undefined) return giveVariant(variant);
  entry.delivery = "original";
  // A HEAD begins no pull.
  if (ctx.method === "GET") noteOriginal(context.failover, puller, manifest);
  sendBytes(ctx, manifest.digest, manifest.mediaType, manifest.bytes);

  function giveVariant(given: Variant): void {
    if (ctx.method === "GET") noteVariant(context.failover, puller, snapshot, given);
    sendVariant(ctx, given);
  }
}

function sendVariant(ctx: Ctx, { digest, original, mediaType, bytes }: Variant): void {
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

async function urlsFor(
  ctx: Ctx,
  context: Context,
  snapshot: Snapshot,
  name: Repository,
  repository: ServedRepository,
  manifest: ServedManifest,
  puller: Puller,
): Promise<Variant | undefined> {
  const { delivery, why } = chooseDelivery({
    configured: configuredDelivery(context.config.mirrorlist, name),
    override: queryOf(ctx).get("delivery") ?? undefined,
    userAgent: ctx.get("user-agent"),
    byDigest: false,
    isPinned: whyPinned(snapshot, repository, manifest) !== undefined,
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
