import type { Scheme } from "@nearlayer/shared/config/schema";
import type { Platform } from "@nearlayer/shared/platform";
import type { Mirror } from "../mirrors/mirror.ts";
import type { Client } from "./client.ts";
import { bandwidthOf, type Draw, drawBest } from "./draw.ts";
import { carriedUnder, type Exclusion, type Placement, whyNotCarried } from "./exclude.ts";
import { type Layout, layoutOf } from "./layout.ts";
import { enoughFor, firstBand } from "./overflow.ts";
import type { Rank } from "./rank.ts";
import { type Seed, seedOf, uniformOf } from "./rendezvous.ts";
import { type Standing, standingOf, type Tier } from "./standing.ts";

/** Who asks for which blob, and how the equals are told apart. */
export interface SelectionRequest {
  readonly client: Client;
  /** Where the blob is; none while nothing has been published with it. */
  readonly placements: readonly Placement[];
  /** The rendezvous key: the same key has the same order. See `spread.ts`. */
  readonly spread: Seed;
  /** The client came by https and refuses to be sent to http. */
  readonly httpsOnly?: boolean;
  /** What is configured for all; `any` by default. */
  readonly scheme?: Scheme;
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
  /** The nearest bands, which have not enough bandwidth for all their clients and leave this one to the next. */
  readonly overflowed: readonly Rank[];
}

/**
 * Which mirrors can serve the blob to the client, best first, and why the others cannot. Redirects, variants and
 * `/explain` all ask here, or, when the first few will do, `nearest`.
 */
export function select(request: SelectionRequest, mirrors: readonly Mirror[], now: number): Selection {
  const layout = layoutOf(mirrors);
  const standing = standingFor(request, layout);
  const chosen = choose(request, standing, drawFor(request, layout, mirrors, now), Number.POSITIVE_INFINITY);
  const { placements, maxProbeAge } = request;
  const rejected = mirrors.flatMap((mirror, number) => {
    const reason = standing.excluded.get(number) ?? whyNotCarried(mirror, placements, maxProbeAge, now);
    return reason === undefined ? [] : [{ mirror, ...reason }];
  });
  return { ...chosen, rejected };
}

/** The first `count` candidates of `select`, at a cost that hardly grows with the number of mirrors. */
export function nearest(
  request: SelectionRequest,
  mirrors: readonly Mirror[],
  now: number,
  count: number,
): readonly Candidate[] {
  const layout = layoutOf(mirrors);
  return choose(request, standingFor(request, layout), drawFor(request, layout, mirrors, now), count).candidates;
}

/** How a client stands to the mirrors: clients who are equally near to all of them have the same one. */
export function standingTo(
  request: Pick<SelectionRequest, "client" | "httpsOnly" | "scheme">,
  mirrors: readonly Mirror[],
): Standing {
  return standingFor(request, layoutOf(mirrors));
}

function standingFor(
  { client, httpsOnly, scheme }: Pick<SelectionRequest, "client" | "httpsOnly" | "scheme">,
  layout: Layout,
): Standing {
  return standingOf(layout, client, {
    country: client.country,
    family: client.address.kind(),
    refusesHttp: httpsOnly ?? false,
    scheme: scheme ?? "any",
  });
}

/** The layout's mirrors are as they were declared; `mirrors` are the same ones as they are now. */
function drawFor(
  { spread, placements, maxProbeAge }: SelectionRequest,
  { scores }: Layout,
  mirrors: readonly Mirror[],
  now: number,
): Draw<Platform> {
  const eligible = (mirror: Mirror) => carriedUnder(mirror, placements, maxProbeAge, now);
  return { mirrors, scores, key: spread, eligible };
}

function choose(
  { scheme }: SelectionRequest,
  standing: Standing,
  draw: Draw<Platform>,
  count: number,
): Pick<Selection, "candidates" | "overflowed"> {
  const candidates: Candidate[] = [];
  const add = ({ rank, members }: Tier) => {
    for (const part of scheme === "prefer-https" ? httpsFirst(draw, members) : [members]) {
      if (candidates.length >= count) return;
      for (const { mirror, eligible: platform, score } of drawBest(draw, part, count - candidates.length)) {
        candidates.push({ mirror, platform, rank, score });
      }
    }
  };
  for (const tier of standing.exact) add(tier);
  if (candidates.length >= count) return { candidates, overflowed: [] };
  const { bands } = standing;
  const bandwidths = bands.map(
    ({ members }) =>
      (upTo: number) =>
        bandwidthOf(draw, members, upTo),
  );
  const first = firstBand(bandwidths, enoughFor(standing), uniformOf(draw.key, OVERFLOW));
  for (const band of [...bands.slice(first, first + 1), ...bands.toSpliced(first, 1)]) add(band);
  return { candidates, overflowed: bands.slice(0, first).map(({ rank }) => rank) };
}

/** Draws as if it were a mirror of its own, so that who overflows has nothing to do with which mirror is drawn. */
const OVERFLOW = seedOf("overflow into the next band");

function httpsFirst({ mirrors }: Draw<unknown>, members: readonly number[]): (readonly number[])[] {
  const isHttps = (number: number) => mirrors[number]?.url.startsWith("https:") ?? false;
  return [members.filter(isHttps), members.filter((number) => !isHttps(number))];
}
