import type { MirrorState } from "@nearlayer/shared/catalog/schema-network";
import type { Scheme } from "@nearlayer/shared/config/schema";
import type { Platform } from "@nearlayer/shared/platform";
import type { Mirror } from "../mirrors/mirror.ts";
import type { Probe } from "../mirrors/probe.ts";
import type { Family } from "./netblock.ts";
import type { Rank } from "./rank.ts";

/** A blob in a platform of the tree, since a generation. */
export interface Placement {
  readonly platform: Platform;
  readonly since: number;
}

/** Why a mirror is not sent this client for this blob. */
export type ExclusionReason =
  | "disabled"
  | "pending" // it has not shown its proof, or its first full check is under way
  | "quarantined" // it showed wrong bytes
  | "private" // it serves other netblocks
  | "country" // it serves other countries
  | "family" // it has no address of the client's family
  | "scheme" // http, and https is asked for
  | "platform" // it does not carry the platform
  | "unreachable" // no recent good probe
  | "unsigned" // what it shows is not signed as the operator asks
  | "behind"; // it shows a generation before the blob's

export interface Exclusion {
  readonly reason: ExclusionReason;
  /** A clause for people. */
  readonly detail: string;
}

/** Who asks, and how it may be sent away. */
export interface Asker {
  readonly country: string | undefined;
  readonly family: Family;
  /** The client came by https and does not follow to http. */
  readonly refusesHttp: boolean;
  readonly scheme: Scheme;
}

/** What does not depend on the blob. */
export function excludeForClient(mirror: Mirror, rank: Rank, asker: Asker): Exclusion | undefined {
  if (mirror.disabled) return { reason: "disabled", detail: "disabled by the operator" };
  const notInUse = NOT_IN_USE[mirror.state];
  if (notInUse !== undefined) return { reason: notInUse, detail: mirror.reason };
  if (mirror.private && rank.kind !== "netblock") {
    return { reason: "private", detail: "private to netblocks that the client is not in" };
  }
  if (mirror.countries !== undefined && !mirror.countries.has(asker.country ?? "")) {
    return { reason: "country", detail: `only for clients in ${[...mirror.countries].join(", ")}` };
  }
  if (mirror.families !== undefined && !mirror.families.has(asker.family)) {
    return { reason: "family", detail: `has no ${FAMILY_NAMES[asker.family]} address` };
  }
  if (mirror.url.startsWith("https:")) return undefined;
  if (asker.refusesHttp)
    return { reason: "scheme", detail: "http, and this client does not follow from https to http" };
  return asker.scheme === "https-only" ? { reason: "scheme", detail: "http, and only https is allowed" } : undefined;
}

/** States in which nobody is sent to a mirror. One that is stale, or does not answer, is known by its probes. */
const NOT_IN_USE: Readonly<Partial<Record<MirrorState, ExclusionReason>>> = {
  pending: "pending",
  checking: "pending",
  quarantined: "quarantined",
};

const FAMILY_NAMES = { ipv4: "IPv4", ipv6: "IPv6" } as const;

/** The platform to fetch the blob under. A layer can be in several, and any that the mirror is fresh in will do. */
export function carriedUnder(
  mirror: Mirror,
  placements: readonly Placement[],
  maxAge: number,
  now: number,
): Platform | undefined {
  for (const { platform, since } of placements) {
    if (mirror.platforms !== undefined && !mirror.platforms.has(platform)) continue;
    if (shows(mirror.probes.get(platform), since, maxAge, now)) return platform;
  }
  return undefined;
}

/** Has the newest probe of the platform shown the blob's generation, or a later one, not too long ago? */
function shows(probe: Probe | undefined, since: number, maxAge: number, now: number): boolean {
  if (probe?.generation === undefined || probe.seenAt === undefined || probe.failure !== undefined) return false;
  return now - probe.seenAt <= maxAge && probe.generation >= since;
}

/** Why the mirror has the blob under no platform: the reason that came nearest to having it. */
export function whyNotCarried(
  mirror: Mirror,
  placements: readonly Placement[],
  maxAge: number,
  now: number,
): Exclusion | undefined {
  if (carriedUnder(mirror, placements, maxAge, now) !== undefined) return undefined;
  let nearest: Exclusion = { reason: "platform", detail: "the blob is in no platform that the mirror carries" };
  for (const placement of placements) {
    if (mirror.platforms !== undefined && !mirror.platforms.has(placement.platform)) continue;
    const exclusion = whyNotShown(mirror.probes.get(placement.platform), placement, maxAge, now);
    if (weight(exclusion) > weight(nearest)) nearest = exclusion;
  }
  return nearest;
}

const weight = ({ reason }: Exclusion) => (reason === "behind" ? 2 : reason === "platform" ? 0 : 1);

function whyNotShown(probe: Probe | undefined, { platform, since }: Placement, maxAge: number, now: number): Exclusion {
  if (probe === undefined) return { reason: "unreachable", detail: `${platform}: not probed yet` };
  if (probe.failure?.kind === "absent") return { reason: "platform", detail: `${platform}: ${probe.failure.message}` };
  if (probe.failure?.kind === "unsigned")
    return { reason: "unsigned", detail: `${platform}: ${probe.failure.message}` };
  if (probe.failure !== undefined) return { reason: "unreachable", detail: `${platform}: ${probe.failure.message}` };
  if (probe.seenAt === undefined || probe.generation === undefined || now - probe.seenAt > maxAge) {
    return { reason: "unreachable", detail: `${platform}: the last good probe is too old` };
  }
  const detail = `${platform}: at generation ${probe.generation}, the blob came with ${since}`;
  return { reason: "behind", detail: probe.doubt === undefined ? detail : `${detail}; it ${probe.doubt}` };
}
