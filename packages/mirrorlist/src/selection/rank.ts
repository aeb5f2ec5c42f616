import type { Mirror } from "../mirrors/mirror.ts";
import type { Client } from "./client.ts";
import { longestMatch } from "./netblock.ts";

/** How near a mirror is to a client. Nearer ranks come first, whatever the bandwidth. */
export type Rank =
  /** The client is in a netblock of the mirror's; the longer, the nearer. */
  | { readonly kind: "netblock"; readonly bits: number }
  | { readonly kind: "asn" }
  | { readonly kind: "country" }
  /** By distance, in bands; 0 is the nearest. */
  | { readonly kind: "distance"; readonly band: number }
  | { readonly kind: "rest" };

const MAX_BITS = 128;

/** Smaller is nearer; equal numbers are equals. */
export function rankOrder(rank: Rank): number {
  switch (rank.kind) {
    case "netblock":
      return MAX_BITS - rank.bits;
    case "asn":
      return 1000;
    case "country":
      return 2000;
    case "distance":
      return 3000 + rank.band;
    case "rest":
      return 4000;
  }
}

/** The rank in one word, for headers, logs and tables. */
export function rankName(rank: Rank): string {
  if (rank.kind === "netblock") return `netblock/${rank.bits}`;
  return rank.kind === "distance" ? `distance/${rank.band}` : rank.kind;
}

/** The nearest rank that holds for the two. */
export function rankOf(client: Client, mirror: Mirror): Rank {
  const netblock = longestMatch(mirror.netblocks, client.address);
  if (netblock !== undefined) return { kind: "netblock", bits: netblock.bits };
  if (client.asn !== undefined && client.asn === mirror.asn) return { kind: "asn" };
  if (client.country !== undefined && client.country === mirror.country) return { kind: "country" };
  return { kind: "rest" };
}
