import type { MirrorState } from "@nearlayer/shared/catalog/schema-network";
import type { DeclaredMirror } from "@nearlayer/shared/config/schema";
import type { Platform } from "@nearlayer/shared/platform";
import { centroidOf } from "../geo/centroids.ts";
import { type Family, type Netblock, parseNetblock } from "../selection/netblock.ts";
import type { Position } from "../selection/position.ts";
import { type Seed, seedOf } from "../selection/rendezvous.ts";
import type { Probe } from "./probe.ts";

/** How a mirror stands in the network, as the catalog knows it. */
export interface MirrorStatus {
  /** Whether the operator's file declares it, or it has opted in by itself. */
  readonly declaredBy: "operator" | "mirror";
  readonly state: MirrorState;
  /** Why it is in that state, a clause for people. */
  readonly reason: string;
  /** Since when, ISO 8601; empty when nobody has written it down. */
  readonly stateSince: string;
}

/** A mirror as selection sees it: what was declared of it, and what the crawler has seen of it. Immutable. */
export interface Mirror extends MirrorStatus {
  readonly name: string;
  /** The base URL, with a slash at its end; a blob's name in `pub/` is appended to it. */
  readonly url: string;
  readonly country: string;
  /** As declared, else the middle of its country; undefined when nobody knows where that is. */
  readonly position: Position | undefined;
  /** The only countries whose clients are sent there; undefined is everywhere. */
  readonly countries: ReadonlySet<string> | undefined;
  /** The address families that it is known to be reached by; undefined is not known. */
  readonly families: ReadonlySet<Family> | undefined;
  /** Mbit/s: its weight among equals. */
  readonly bandwidth: number;
  /** What it says it carries; undefined is everything. */
  readonly platforms: ReadonlySet<Platform> | undefined;
  readonly asn: number | undefined;
  readonly netblocks: readonly Netblock[];
  /** Serves the clients of its netblocks alone. */
  readonly private: boolean;
  /** By the operator: in the file, or by command. */
  readonly disabled: boolean;
  readonly allowPrivateAddress: boolean;
  /** Where rsync lists its tree. */
  readonly rsync: string | undefined;
  readonly seed: Seed;
  /** The newest probe of each platform. */
  readonly probes: ReadonlyMap<Platform, Probe>;
}

/** A mirror that takes part without a catalog that knows it. */
const ACTIVE: MirrorStatus = { declaredBy: "operator", state: "active", reason: "", stateSince: "" };

/** A mirror of which nothing is known yet but what was declared, and how it stands. */
export function mirrorOf(declared: DeclaredMirror, status: MirrorStatus = ACTIVE): Mirror {
  const disabled = declared.disabled || status.state === "disabled";
  return {
    declaredBy: status.declaredBy,
    state: disabled ? "disabled" : status.state,
    reason: status.reason,
    stateSince: status.stateSince,
    name: declared.name,
    url: declared.url,
    country: declared.country,
    position: positionOf(declared),
    countries: declared.countries && new Set(declared.countries),
    families: declared.families && new Set(declared.families),
    bandwidth: declared.bandwidth,
    platforms: declared.platforms && new Set(declared.platforms),
    asn: declared.asn,
    netblocks: declared.netblocks.map(parseNetblock),
    private: declared.private,
    disabled,
    allowPrivateAddress: declared.allowPrivateAddress,
    rsync: declared.rsync,
    seed: seedOf(declared.name),
    probes: new Map(),
  };
}

function positionOf({ latitude, longitude, country }: DeclaredMirror): Position | undefined {
  return latitude === undefined || longitude === undefined ? centroidOf(country) : { latitude, longitude };
}
