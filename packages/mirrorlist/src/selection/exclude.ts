import type { Platform } from "@nearlayer/shared/platform";
import type { Mirror } from "../mirrors/mirror.ts";
import type { Probe } from "../mirrors/probe.ts";
import type { Rank } from "./rank.ts";

/** A blob in a platform of the tree, since a generation. */
export interface Placement {
  readonly platform: Platform;
  readonly since: number;
}

/** Why a mirror is not sent this client for this blob. */
export type ExclusionReason =
  | "disabled"
  | "private" // it serves other netblocks
  | "scheme" // http, and the client refuses to leave https
  | "platform" // it does not carry the platform
  | "unreachable" // no recent good probe
  | "behind"; // it shows a generation before the blob's

export interface Exclusion {
  readonly reason: ExclusionReason;
  /** A clause for people. */
  readonly detail: string;
}

/** What does not depend on the blob. */
export function excludeForClient(mirror: Mirror, rank: Rank, httpsOnly: boolean): Exclusion | undefined {
  if (mirror.disabled) return { reason: "disabled", detail: "disabled by the operator" };
  if (mirror.private && rank.kind !== "netblock") {
    return { reason: "private", detail: "private to netblocks that the client is not in" };
  }
  if (httpsOnly && !mirror.url.startsWith("https:")) {
    return { reason: "scheme", detail: "http, and this client does not follow from https to http" };
  }
  return undefined;
}

/**
 * The platform to fetch the blob under, or why there is none. A layer can be in several platforms, and any that the
 * mirror is fresh in will do; the reason that is named is the one that came nearest to it.
 */
export function carries(
  mirror: Mirror,
  placements: readonly Placement[],
  maxAge: number,
  now: number,
): { readonly platform: Platform } | Exclusion {
  let nearest: Exclusion = { reason: "platform", detail: "the blob is in no platform that the mirror carries" };
  for (const placement of placements) {
    if (mirror.platforms !== undefined && !mirror.platforms.has(placement.platform)) continue;
    const probe = mirror.probes.get(placement.platform);
    const exclusion = excludeByProbe(probe, placement, maxAge, now);
    if (exclusion === undefined) return { platform: placement.platform };
    if (weight(exclusion) > weight(nearest)) nearest = exclusion;
  }
  return nearest;
}

const weight = ({ reason }: Exclusion) => (reason === "behind" ? 2 : reason === "unreachable" ? 1 : 0);

function excludeByProbe(
  probe: Probe | undefined,
  { platform, since }: Placement,
  maxAge: number,
  now: number,
): Exclusion | undefined {
  if (probe === undefined) return { reason: "unreachable", detail: `${platform}: not probed yet` };
  if (probe.failure?.kind === "absent") return { reason: "platform", detail: `${platform}: ${probe.failure.message}` };
  if (probe.failure !== undefined) return { reason: "unreachable", detail: `${platform}: ${probe.failure.message}` };
  if (probe.seenAt === undefined || probe.generation === undefined || now - probe.seenAt > maxAge) {
    return { reason: "unreachable", detail: `${platform}: the last good probe is too old` };
  }
  if (probe.generation < since) {
    const detail = `${platform}: at generation ${probe.generation}, the blob came with ${since}`;
    return { reason: "behind", detail };
  }
  return undefined;
}
