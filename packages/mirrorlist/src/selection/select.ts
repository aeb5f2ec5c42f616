import type { Platform } from "@nearlayer/shared/platform";
import type { Mirror } from "../mirrors/mirror.ts";
import type { Client } from "./client.ts";
import { carries, type Exclusion, excludeForClient, type Placement } from "./exclude.ts";
import { type Rank, rankOf, rankOrder } from "./rank.ts";
import { scoreOf, seedOf } from "./rendezvous.ts";

/** Who asks for which blob, and how the equals are told apart. */
export interface SelectionRequest {
  readonly client: Client;
  /** Where the blob is; none while nothing has been published with it. */
  readonly placements: readonly Placement[];
  /** The rendezvous key: the same key has the same order. See `spread.ts`. */
  readonly spread: string;
  /** The client came by https and refuses to be sent to http. */
  readonly httpsOnly?: boolean;
  /** The oldest good probe, in ms, that still makes a mirror reachable. */
  readonly maxProbeAge: number;
}

/** A mirror that can serve the blob to the client. */
export interface Candidate {
  readonly mirror: Mirror;
  /** The platform of the tree that the blob is fetched under there. */
  readonly platform: Platform;
  readonly rank: Rank;
  /** Larger is better, among those of the same rank. */
  readonly score: number;
}

export interface Rejection extends Exclusion {
  readonly mirror: Mirror;
}

/** Every mirror is in one of the two. */
export interface Selection {
  /** Best first. After the last comes the origin. */
  readonly candidates: readonly Candidate[];
  readonly rejected: readonly Rejection[];
}

/**
 * Which mirrors can serve the blob to the client, best first, and why the others cannot. Redirects, variants and
 * `/explain` all ask here.
 */
export function select(request: SelectionRequest, mirrors: readonly Mirror[], now: number): Selection {
  const { client, placements, httpsOnly = false, maxProbeAge } = request;
  const key = seedOf(request.spread);
  const candidates: Candidate[] = [];
  const rejected: Rejection[] = [];
  for (const mirror of mirrors) {
    const rank = rankOf(client, mirror);
    const exclusion = excludeForClient(mirror, rank, httpsOnly);
    if (exclusion !== undefined) {
      rejected.push({ mirror, ...exclusion });
      continue;
    }
    const carried = carries(mirror, placements, maxProbeAge, now);
    if ("reason" in carried) rejected.push({ mirror, ...carried });
    else candidates.push({ mirror, ...carried, rank, score: scoreOf(key, mirror.seed, mirror.bandwidth) });
  }
  return { candidates: candidates.sort(byRankAndScore), rejected };
}

function byRankAndScore(a: Candidate, b: Candidate): number {
  return rankOrder(a.rank) - rankOrder(b.rank) || b.score - a.score || (a.mirror.name < b.mirror.name ? -1 : 1);
}
