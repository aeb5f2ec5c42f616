import type { Config } from "@nearlayer/shared/config/schema";
import type { Digest } from "@nearlayer/shared/digest";
import { type LayerPlace, MAX_PLACES } from "../delivery/recipe.ts";
import type { Mirror } from "../mirrors/mirror.ts";
import type { Network } from "../mirrors/network.ts";
import { maxProbeAge } from "../mirrors/probe.ts";
import type { FirstUse } from "../pull/first-use.ts";
import type { Client } from "../selection/client.ts";
import { type Candidate, nearest } from "../selection/select.ts";
import { variantSpread } from "../selection/spread.ts";
import type { Snapshot } from "../served/snapshot.ts";

export interface FindPlacesDeps {
  readonly config: Pick<Config, "mirrorlist" | "crawler">;
  readonly network: Network;
  readonly firstUse: FirstUse;
  readonly now: () => number;
}

/** The layers of an image that a client wants to know the mirrors of. */
export interface PlacesRequest {
  readonly snapshot: Snapshot;
  readonly client: Client;
  readonly layers: ReadonlySet<Digest>;
}

/**
 * Where each layer can be fetched, best first. Every mirror has been seen to have it, because no client tries the next
 * URL when the bytes were wrong. Undefined when the best mirror of a layer is not for everybody: what is written into a
 * manifest is for whoever gets hold of its digest, and such a mirror is only ever named in a redirect.
 */
export async function findPlaces(
  deps: FindPlacesDeps,
  { snapshot, client, layers }: PlacesRequest,
): Promise<ReadonlyMap<Digest, readonly LayerPlace[]> | undefined> {
  const found = [...layers].map((digest) => ({ digest, ...candidatesFor(deps, snapshot, client, digest) }));
  if (found.some(({ candidates: [best] }) => best !== undefined && !isForAll(best.mirror))) return undefined;
  const places = found.map(async ({ digest, size, candidates }) => {
    const open = candidates.filter(({ mirror }) => isForAll(mirror));
    const seen = await Promise.all(open.map((candidate) => isSeen(deps.firstUse, candidate, digest, size)));
    return [digest, open.filter((_, index) => seen[index]).map(placeOf)] as const;
  });
  return new Map(await Promise.all(places));
}

const isForAll = (mirror: Mirror) => !mirror.private && mirror.countries === undefined;
const placeOf = ({ mirror, platform }: Candidate): LayerPlace => ({ url: mirror.url, platform });

function candidatesFor(
  { config, network, now }: FindPlacesDeps,
  snapshot: Snapshot,
  client: Client,
  digest: Digest,
): { readonly size: number; readonly candidates: readonly Candidate[] } {
  const blob = snapshot.blobs.get(digest);
  if (blob === undefined) return { size: 0, candidates: [] };
  const { size, placements } = blob;
  const spread = variantSpread(client, digest);
  const { scheme } = config.mirrorlist;
  const request = { client, placements, spread, scheme, maxProbeAge: maxProbeAge(config.crawler.interval) };
  // One more than are written: one that fails its check is made up for, and a client never waits for long.
  return { size, candidates: nearest(request, network.mirrors(), now(), MAX_PLACES + 1) };
}

function isSeen(firstUse: FirstUse, candidate: Candidate, digest: Digest, size: number): boolean | Promise<boolean> {
  const known = firstUse.remembered(candidate, digest, size);
  return known === undefined ? firstUse.check(candidate, digest, size).then(({ ok }) => ok) : known.ok;
}
