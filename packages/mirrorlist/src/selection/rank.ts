import { BAND_LIMITS_KM } from "./position.ts";

/** How near a mirror is to a client. Nearer ranks come first, whatever the bandwidth. */
export type Rank =
  /** The client is in a netblock of the mirror's; the longer, the nearer. */
  | { readonly kind: "netblock"; readonly bits: number }
  | { readonly kind: "asn" }
  | { readonly kind: "country" }
  /** By distance, in bands; 0 is the nearest. */
  | { readonly kind: "distance"; readonly band: number }
  /** Nobody knows how far they are from each other. */
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

const BANDS = BAND_LIMITS_KM.map((km) => `distance/${km}`);

/** The rank in one word, for headers, logs and tables; a band by the km at which it ends. */
export function rankName(rank: Rank): string {
  if (rank.kind === "netblock") return `netblock/${rank.bits}`;
  return rank.kind === "distance" ? (BANDS[rank.band] ?? "distance/far") : rank.kind;
}
