import { setImmediate as yieldToOthers } from "node:timers/promises";
import type { Config, Delivery, Scheme } from "@nearlayer/shared/config/schema";
import type { Descriptor } from "@nearlayer/shared/descriptor";
import type { Digest } from "@nearlayer/shared/digest";
import { isForeignLayer } from "@nearlayer/shared/mediatype";
import { type Platform, platformOf } from "@nearlayer/shared/platform";
import { parseTag, type Reference, type Repository } from "@nearlayer/shared/reference";
import { configuredDelivery } from "../delivery/choose.ts";
import { type PinReason, whyPinned } from "../delivery/pinned.ts";
import type { Attribution, Geo } from "../geo/geo.ts";
import { hidePlaces } from "../mirrors/hide-places.ts";
import type { Mirror } from "../mirrors/mirror.ts";
import { maxProbeAge } from "../mirrors/probe.ts";
import { type Client, clientOf } from "../selection/client.ts";
import type { ExclusionReason, Placement } from "../selection/exclude.ts";
import type { Address } from "../selection/netblock.ts";
import { distanceKm, type Position } from "../selection/position.ts";
import { rankName } from "../selection/rank.ts";
import { select } from "../selection/select.ts";
import { redirectSpread } from "../selection/spread.ts";
import {
  findManifest,
  manifestOf,
  type ServedManifest,
  type ServedRepository,
  type Snapshot,
} from "../served/snapshot.ts";
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
    /** To whole degrees, or the middle of the country. */
    readonly position?: Position;
  };
  /** `pinned` says why it is never rewritten. */
  readonly delivery: { readonly configured: Delivery; readonly pinned?: PinReason };
  readonly scheme: Scheme;
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
  readonly candidates: readonly ExplainedCandidate[];
  readonly rejected: readonly ExplainedRejection[];
  /** The nearest bands, if they have not enough bandwidth for all their clients and leave this one to the next. */
  readonly overflowed: readonly string[];
}

interface ExplainedMirror {
  readonly mirror: string;
  readonly country: string;
  readonly asn?: number;
  /** From the client, when both positions are known. */
  readonly distanceKm?: number;
}

export interface ExplainedCandidate extends ExplainedMirror {
  readonly platform: Platform;
  readonly rank: string;
  readonly score: number;
}

export interface ExplainedRejection extends ExplainedMirror {
  readonly reason: ExclusionReason;
  readonly detail: string;
}

export interface ExplainDeps {
  readonly snapshot: Snapshot;
  readonly mirrors: readonly Mirror[];
  readonly geo: Geo;
  readonly config: Pick<Config, "mirrorlist" | "crawler">;
  readonly now: number;
}

const MAX_LAYERS = 100;

/**
 * The same choice as a pull of the image from the address would get, with its reasons. Each layer is a look at every
 * mirror: others get their turn in between.
 */
export async function explain(
  deps: ExplainDeps,
  reference: Reference,
  address: Address,
  maxLayers = MAX_LAYERS,
): Promise<Explanation | SpecError> {
  const { snapshot, geo, config } = deps;
  const repository = snapshot.repositories.get(reference.repository);
  if (repository === undefined) return specError("NAME_UNKNOWN", "no such repository here", reference.repository);
  const asked =
    reference.digest === undefined ? { tag: reference.tag ?? parseTag("latest") } : { digest: reference.digest };
  const text = "tag" in asked ? asked.tag : asked.digest;
  const manifest = findManifest(snapshot, repository, asked);
  if (manifest === undefined) return specError("MANIFEST_UNKNOWN", "no such manifest", text);
  const client = clientOf(address, geo.locate(address));
  const layers = layersOf(snapshot, repository, manifest);
  const pinned = whyPinned(snapshot, repository, manifest);
  const explained: ExplainedLayer[] = [];
  for (const [digest, platforms] of [...layers].slice(0, maxLayers)) {
    explained.push(explainLayer(deps, client, digest, platforms));
    await yieldToOthers();
  }
  return {
    kind: "explanation",
    image: { repository: reference.repository, reference: text, digest: manifest.digest },
    client: shown(client),
    delivery: {
      configured: configuredDelivery(config.mirrorlist, reference.repository),
      ...(pinned === undefined ? {} : { pinned }),
    },
    scheme: config.mirrorlist.scheme,
    layers: explained,
    omittedLayers: Math.max(0, layers.size - maxLayers),
    attributions: geo.attributions,
  };
}

function shown({ address, prefix, country, asn, position }: Client): Explanation["client"] {
  return {
    ...{ address: address.toString(), prefix },
    ...(country === undefined ? {} : { country }),
    ...(asn === undefined ? {} : { asn }),
    ...(position === undefined ? {} : { position }),
  };
}

/** Every layer that is fetched from mirrors, with the platforms of the image that use it. */
function layersOf(
  snapshot: Snapshot,
  repository: ServedRepository,
  served: ServedManifest,
): Map<Digest, Set<Platform>> {
  const layers = new Map<Digest, Set<Platform>>();
  const add = (one: ServedManifest, platform: Platform | undefined) => {
    const manifest = manifestOf(one);
    if (manifest.kind === "index") {
      for (const entry of manifest.manifests) {
        const child = findManifest(snapshot, repository, entry);
        if (child !== undefined) add(child, platformOfEntry(entry.platform));
      }
      return;
    }
    for (const { digest, mediaType } of manifest.layers) {
      if (isForeignLayer(mediaType)) continue;
      const platforms = layers.get(digest) ?? new Set();
      layers.set(digest, platform === undefined ? platforms : platforms.add(platform));
    }
  };
  add(served, undefined);
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
  const maxAge = maxProbeAge(config.crawler.interval);
  const { scheme } = config.mirrorlist;
  const request = { client, placements: blob.placements, spread, scheme, maxProbeAge: maxAge };
  const { candidates, rejected, overflowed } = select(request, mirrors, now);
  return {
    digest,
    size: blob.size,
    platforms: platforms.size > 0 ? [...platforms] : blob.placements.map(({ platform }) => platform),
    placements: blob.placements,
    chosen: candidates[0]?.mirror.name ?? "origin",
    candidates: candidates.map(({ mirror, platform, rank, score }) => ({
      ...explainMirror(client, mirror),
      ...{ platform, rank: rankName(rank), score: Number(score.toPrecision(6)) },
    })),
    // Who has not shown that a mirror is theirs is nobody yet: see docs/decisions/0044.
    rejected: rejected
      .filter(({ mirror }) => mirror.state !== "pending")
      .map(({ mirror, reason, detail }) => ({
        ...explainMirror(client, mirror),
        reason,
        detail: mirror.private ? hidePlaces(detail, mirror.url, mirror.rsync) : detail,
      })),
    overflowed: overflowed.map(rankName),
  };
}

function explainMirror(client: Client, { name, country, asn, position }: Mirror): ExplainedMirror {
  return {
    mirror: name,
    country,
    ...(asn === undefined ? {} : { asn }),
    ...(client.position && position ? { distanceKm: Math.round(distanceKm(client.position, position)) } : {}),
  };
}
