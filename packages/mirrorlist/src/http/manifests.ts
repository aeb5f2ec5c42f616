import type { Repository } from "@nearlayer/shared/reference";
import { chooseDelivery, configuredDelivery } from "../delivery/choose.ts";
import { writeUrls } from "../pull/write-urls.ts";
import type { ManifestReference } from "../request.ts";
import {
  findManifest,
  hasReferrers,
  type ServedManifest,
  type ServedRepository,
  type Snapshot,
} from "../served/snapshot.ts";
import { specError } from "../spec-error.ts";
import type { Variant } from "../variants/variants.ts";
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
  const { entry } = ctx.state;
  entry.reference = "tag" in reference ? reference.tag : reference.digest;
  const manifest = findManifest(snapshot, repository, reference);
  if (manifest === undefined) {
    const variant = "digest" in reference ? await findVariant(context, snapshot, repository, reference) : undefined;
    if (variant === undefined)
      return sendError(ctx, specError("MANIFEST_UNKNOWN", "no such manifest", entry.reference));
    return sendVariant(ctx, variant);
  }
  const variant = "tag" in reference ? await urlsFor(ctx, context, snapshot, name, repository, manifest) : undefined;
  if (variant !== undefined) return sendVariant(ctx, variant);
  entry.delivery = "original";
  sendBytes(ctx, manifest.digest, manifest.mediaType, manifest.bytes);
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
): Promise<Variant | undefined> {
  const { delivery } = chooseDelivery({
    configured: configuredDelivery(context.config.mirrorlist, name),
    override: queryOf(ctx).get("delivery") ?? undefined,
    userAgent: ctx.get("user-agent"),
    byDigest: false,
    hasReferrers: hasReferrers(snapshot, repository, manifest.digest),
  });
  if (delivery !== "urls") return undefined;
  const baseUrl = context.baseUrlOf(ctx.state.forwarded);
  if (baseUrl === undefined) return undefined;
  return writeUrls(context, snapshot, ctx.state.client, name, manifest, baseUrl);
}
