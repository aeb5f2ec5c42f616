import type { Descriptor } from "@nearlayer/shared/descriptor";
import type { Digest } from "@nearlayer/shared/digest";
import { isForeignLayer } from "@nearlayer/shared/mediatype";
import type { Repository } from "@nearlayer/shared/reference";
import { type LayerPlace, MAX_PLACES, makeRecipe } from "../delivery/recipe.ts";
import { maxProbeAge } from "../mirrors/probe.ts";
import type { Client } from "../selection/client.ts";
import { select } from "../selection/select.ts";
import { variantSpread } from "../selection/spread.ts";
import { manifestOf, type ServedManifest, type Snapshot } from "../served/snapshot.ts";
import type { Variant } from "../variants/variants.ts";
import type { PullDeps } from "./deps.ts";

/** What it takes to write urls into a manifest. */
export type WriteUrlsDeps = Pick<PullDeps, "config" | "network" | "firstUse" | "variants" | "now">;

/**
 * The variant of an image manifest for a client: on each layer the best mirrors, then the mirror list. Each mirror
 * has been seen to have the layer, because no client tries the next URL when the bytes were wrong. Undefined when
 * no mirror has any layer, and for an index: its children are asked for by digest, and get their original bytes.
 */
export async function writeUrls(
  deps: WriteUrlsDeps,
  snapshot: Snapshot,
  client: Client,
  repository: Repository,
  served: ServedManifest,
  baseUrl: string,
): Promise<Variant | undefined> {
  const manifest = manifestOf(served);
  if (manifest.kind !== "image") return undefined;
  const layers = manifest.layers.filter(({ mediaType }) => !isForeignLayer(mediaType));
  const places = new Map<Digest, readonly LayerPlace[]>(
    await Promise.all(
      layers.map(async (layer) => [layer.digest, await placesOf(deps, snapshot, client, layer)] as const),
    ),
  );
  const recipe = makeRecipe(manifest.layers, ({ digest }) => places.get(digest) ?? [], baseUrl, repository);
  return recipe && deps.variants.make(served, recipe);
}

async function placesOf(
  { config, network, firstUse, now }: WriteUrlsDeps,
  snapshot: Snapshot,
  client: Client,
  { digest }: Descriptor,
): Promise<LayerPlace[]> {
  const blob = snapshot.blobs.get(digest);
  if (blob === undefined) return [];
  const request = {
    client,
    placements: blob.placements,
    spread: variantSpread(client, digest),
    maxProbeAge: maxProbeAge(config.crawler.interval),
  };
  // One more than are written: one that fails its check is made up for, and a client never waits for long.
  const { candidates } = select(request, network.mirrors(), now());
  const asked = candidates.slice(0, MAX_PLACES + 1);
  const verdicts = await Promise.all(asked.map((candidate) => firstUse.check(candidate, digest, blob.size)));
  return asked.filter((_, index) => verdicts[index]?.ok).map(({ mirror, platform }) => ({ url: mirror.url, platform }));
}
