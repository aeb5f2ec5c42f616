import type { Scheme } from "@nearlayer/shared/config/schema";
import type { Mirror } from "../mirrors/mirror.ts";
import type { Client } from "./client.ts";
import { type Asker, type Exclusion, excludeForClient } from "./exclude.ts";
import type { Layout } from "./layout.ts";
import type { Match } from "./netblock-trie.ts";
import { bandOf, directionOf } from "./position.ts";
import { type Rank, rankOrder } from "./rank.ts";

/** Mirrors that are equally near to a client. */
export interface Tier {
  readonly rank: Rank;
  /** The mirrors' numbers. */
  readonly members: readonly number[];
}

/** How the mirrors stand to a client, whatever it asks for. */
export interface Standing {
  /** No other standing has the same. */
  readonly number: number;
  /** The nearest first: by netblock, ASN and country, and behind them the bands of distance and the rest. */
  readonly exact: readonly Tier[];
  readonly bands: readonly Tier[];
  readonly excluded: ReadonlyMap<number, Exclusion>;
  /** Mbit/s, together, of those that the client may be sent to, and how many they are. */
  readonly bandwidth: number;
  readonly count: number;
}

/** Clients that are alike in all that counts get the same standing, which is then made once. */
export function standingOf(layout: Layout, client: Client, asker: Asker): Standing {
  const match = layout.netblocks.longest(client.address);
  const kind = kindOf(layout, client, asker, match);
  const ofPlace = layout.standings.get(client.whereabouts);
  const known = ofPlace?.get(kind);
  if (known !== undefined) return known;
  const standing = { number: made++, ...stand(layout, client, asker, match) };
  layout.standings.set(client.whereabouts, new Map(ofPlace).set(kind, standing));
  return standing;
}

let made = 0;

/**
 * What there is to a standing besides the place, as a number: of a new text, the hash would have to be found for each
 * request.
 */
function kindOf({ asns }: Layout, client: Client, asker: Asker, match: Match<number> | undefined): number {
  const netblock = match === undefined ? 0 : match.id + 1;
  const asn = client.asn === undefined ? 0 : (asns.get(client.asn) ?? 0);
  const family = asker.family === "ipv4" ? 0 : 1;
  const scheme = SCHEMES.indexOf(asker.scheme) * 2 + (asker.refusesHttp ? 1 : 0);
  return ((netblock * (asns.size + 1) + asn) * 2 + family) * SCHEMES.length * 2 + scheme;
}

const SCHEMES = ["any", "prefer-https", "https-only"] as const satisfies readonly Scheme[];

function stand(
  layout: Layout,
  client: Client,
  asker: Asker,
  match: Match<number> | undefined,
): Omit<Standing, "number"> {
  const bits = bitsByMirror(match);
  const direction = client.position && directionOf(client.position);
  const tiers = new Map<number, { rank: Rank; members: number[] }>();
  const excluded = new Map<number, Exclusion>();
  let bandwidth = 0;
  for (const [number, mirror] of layout.mirrors.entries()) {
    const toMirror = layout.directions[number];
    const band = direction && toMirror && bandOf(direction, toMirror);
    const rank = rankOf(client, mirror, bits.get(number), band);
    const exclusion = excludeForClient(mirror, rank, asker);
    if (exclusion !== undefined) {
      excluded.set(number, exclusion);
      continue;
    }
    bandwidth += mirror.bandwidth;
    const order = rankOrder(rank);
    const tier = tiers.get(order);
    if (tier === undefined) tiers.set(order, { rank, members: [number] });
    else tier.members.push(number);
  }
  const sorted = [...tiers].sort(([a], [b]) => a - b).map(([, tier]) => tier);
  const isBand = ({ rank }: Tier) => rank.kind === "distance" || rank.kind === "rest";
  const [exact, bands] = [sorted.filter((tier) => !isBand(tier)), sorted.filter(isBand)];
  return { exact, bands, excluded, bandwidth, count: layout.mirrors.length - excluded.size };
}

/** The longest netblock of each mirror that holds the client. */
function bitsByMirror(longest: Match<number> | undefined): Map<number, number> {
  const bits = new Map<number, number>();
  for (let match = longest; match !== undefined; match = match.wider) {
    for (const number of match.values) if (!bits.has(number)) bits.set(number, match.bits);
  }
  return bits;
}

/** The nearest rank that holds for the two. */
function rankOf(client: Client, mirror: Mirror, bits: number | undefined, band: number | undefined): Rank {
  if (bits !== undefined) return { kind: "netblock", bits };
  if (client.asn !== undefined && client.asn === mirror.asn) return { kind: "asn" };
  if (client.country !== undefined && client.country === mirror.country) return { kind: "country" };
  return band === undefined ? { kind: "rest" } : { kind: "distance", band };
}
