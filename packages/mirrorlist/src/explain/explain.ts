import type { Config, Delivery } from "@nearlayer/shared/config/schema";
import type { Descriptor } from "@nearlayer/shared/descriptor";
import type { Digest } from "@nearlayer/shared/digest";
import { isForeignLayer } from "@nearlayer/shared/mediatype";
import { type Platform, platformOf } from "@nearlayer/shared/platform";
import { parseTag, type Reference, type Repository } from "@nearlayer/shared/reference";
import { configuredDelivery } from "../delivery/choose.ts";
import type { Attribution, Geo } from "../geo/geo.ts";
import type { Mirror } from "../mirrors/mirror.ts";
import { maxProbeAge } from "../mirrors/probe.ts";
import { type Client, clientOf } from "../selection/client.ts";
import type { ExclusionReason, Placement } from "../selection/exclude.ts";
import type { Address } from "../selection/netblock.ts";
import { rankName } from "../selection/rank.ts";
import { select } from "../selection/select.ts";
import { redirectSpread } from "../selection/spread.ts";
import { findManifest, hasReferrers, manifestOf, type ServedManifest, type Snapshot } from "../served/snapshot.ts";
import { type SpecError, specError } from "../spec-error.ts";

/** Everything that the choice of mirrors for an image and an address hangs on, for people who ask why. */
export interface Explanation {
  readonly kind: "explanation";
  readonly image: { readonly repository: Repository; readonly reference: string; readonly digest: Digest };
  readonly client: {
    readonly address: string;
    readonly prefix: string;
    readonly country?: string;
    readonly asn?: number;
  };
  readonly delivery: { readonly configured: Delivery; readonly hasReferrers: boolean };
  readonly layers: readonly ExplainedLayer[];
  /** How many further layers there are; an index of many platforms has too many to show. */
  readonly omittedLayers: number;
  readonly attributions: readonly Attribution[];
}

export interface ExplainedLayer {
  readonly digest: Digest;
  readonly size: number;
  /** The platforms of the image that use it. */
  readonly platforms: readonly Platform[];
  readonly placements: readonly Placement[];
  /** The mirror that a first GET is sent to, if it passes its check; `origin` when there is none. */
  readonly chosen: string;
  readonly candidates: readonly { mirror: string; platform: Platform; rank: string; score: number }[];
  readonly rejected: readonly { mirror: string; reason: ExclusionReason; detail: string }[];
}

export interface ExplainDeps {
  readonly snapshot: Snapshot;
  readonly mirrors: readonly Mirror[];
  readonly geo: Geo;
  readonly config: Pick<Config, "mirrorlist" | "crawler">;
  readonly now: number;
}

const MAX_LAYERS = 100;

/** The same choice as a pull of the image from the address would get, with its reasons. */
export function explain(deps: ExplainDeps, reference: Reference, address: Address): Explanation | SpecError {
  const { snapshot, geo, config } = deps;
  const repository = snapshot.repositories.get(reference.repository);
  if (repository === undefined) return specError("NAME_UNKNOWN", "no such repository here", reference.repository);
  const asked =
    reference.digest === undefined ? { tag: reference.tag ?? parseTag("latest") } : { digest: reference.digest };
  const text = "tag" in asked ? asked.tag : asked.digest;
  const manifest = findManifest(snapshot, repository, asked);
  if (manifest === undefined) return specError("MANIFEST_UNKNOWN", "no such manifest", text);
  const client = clientOf(address, geo.locate(address));
  const layers = layersOf(snapshot, manifest);
  return {
    kind: "explanation",
    image: { repository: reference.repository, reference: text, digest: manifest.digest },
    client: { ...client, address: address.toString() },
    delivery: {
      configured: configuredDelivery(config.mirrorlist, reference.repository),
      hasReferrers: hasReferrers(snapshot, repository, manifest.digest),
    },
    layers: [...layers]
      .slice(0, MAX_LAYERS)
      .map(([digest, platforms]) => explainLayer(deps, client, digest, platforms)),
    omittedLayers: Math.max(0, layers.size - MAX_LAYERS),
    attributions: geo.attributions,
  };
}

/** Every layer that is fetched from mirrors, with the platforms of the image that use it. */
function layersOf(snapshot: Snapshot, served: ServedManifest): Map<Digest, Set<Platform>> {
  const layers = new Map<Digest, Set<Platform>>();
  const add = (image: ServedManifest, platform: Platform | undefined) => {
    const manifest = manifestOf(image);
    if (manifest.kind !== "image") return;
    for (const { digest, mediaType } of manifest.layers) {
      if (isForeignLayer(mediaType)) continue;
      const platforms = layers.get(digest) ?? new Set();
      layers.set(digest, platform === undefined ? platforms : platforms.add(platform));
    }
  };
  const manifest = manifestOf(served);
  if (manifest.kind === "image") add(served, undefined);
  else {
    for (const { digest, platform } of manifest.manifests) {
      const child = snapshot.manifests.get(digest);
      if (child !== undefined) add(child, platformOfEntry(platform));
    }
  }
  return layers;
}

function platformOfEntry(platform: Descriptor["platform"]): Platform {
  const { os = "", architecture = "", variant } = platform ?? {};
  return platformOf({ os, architecture, variant });
}

function explainLayer(
  { snapshot, mirrors, config, now }: ExplainDeps,
  client: Client,
  digest: Digest,
  platforms: ReadonlySet<Platform>,
): ExplainedLayer {
  const blob = snapshot.blobs.get(digest) ?? { size: 0, placements: [] };
  const spread = redirectSpread(client, digest);
  const request = { client, placements: blob.placements, spread, maxProbeAge: maxProbeAge(config.crawler.interval) };
  const { candidates, rejected } = select(request, mirrors, now);
  return {
    digest,
    size: blob.size,
    platforms: platforms.size > 0 ? [...platforms] : blob.placements.map(({ platform }) => platform),
    placements: blob.placements,
    chosen: candidates[0]?.mirror.name ?? "origin",
    candidates: candidates.map(({ mirror, platform, rank, score }) => ({
      mirror: mirror.name,
      platform,
      rank: rankName(rank),
      score: Number(score.toPrecision(6)),
    })),
    rejected: rejected.map(({ mirror, reason, detail }) => ({ mirror: mirror.name, reason, detail })),
  };
}
