import type { Generated } from "kysely";
import type { Digest } from "../digest.ts";
import type { Platform } from "../platform.ts";

/**
 * What a mirror is to the network. `pending`: it has not shown its proof of control, or the operator has not approved of
 * it; `checking`: it has, and its first full check is under way; `stale`: it has been behind for longer than is tolerated,
 * and serves what it has; `unreachable`: it does not answer; `quarantined`: it showed wrong bytes; `disabled`: taken out by
 * hand.
 */
export type MirrorState = "pending" | "checking" | "active" | "stale" | "unreachable" | "quarantined" | "disabled";

/** Who brought a change about. */
export type MirrorActor = "operator" | "mirror" | "crawler";

/** The tables of the mirror network. Times are ISO 8601 in UTC, as everywhere; an hour is the time of its beginning. */
export interface NetworkSchema {
  /**
   * Every mirror that is known. `declaration` is the mirror as it was declared, as JSON. For one that stands in the operator's
   * file, the file is what counts, and the row keeps what the file cannot: its state.
   */
  mirror: {
    name: string;
    declaredBy: "operator" | "mirror";
    declaration: string;
    /** The sha256 (hex) of the mirror's token, which it shows under its base URL; empty for the operator's own. */
    proof: string | null;
    state: MirrorState;
    /** Why it is in that state, a clause for people. */
    reason: string;
    stateSince: string;
    createdAt: string;
    /** When the operator approved of it, where the operator wants to be asked. */
    approvedAt: string | null;
    /** Somebody (a check-in, an approval, a publish) asks for a probe soon; cleared when one begins. */
    probeWantedAt: string | null;
    /** The value of the meta key `mirrorRevision` with which the row was last changed for those who select mirrors. */
    revision: Generated<number>;
  };
  /** The history of states, one row for each change. */
  mirrorChange: {
    id: Generated<number>;
    mirror: string;
    at: string;
    fromState: MirrorState | null;
    toState: MirrorState;
    reason: string;
    actor: MirrorActor;
  };
  /** The newest probe of each platform of a mirror, shared by all instances. */
  mirrorProbe: {
    mirror: string;
    platform: Platform;
    /** When it was last asked, and when it last answered well. */
    at: string;
    seenAt: string | null;
    /** The generation that counts: shown, and its new blobs seen. */
    generation: number | null;
    /** The generation that its GENERATION names, which counts once a sample of what is new in it has been seen there. */
    shown: number | null;
    etag: string | null;
    lastModified: string | null;
    failureKind: string | null;
    failure: string | null;
  };
  /** The last audits of a mirror: looks at single blobs and listings. Pruned to the newest of each mirror. */
  mirrorAudit: {
    id: Generated<number>;
    mirror: string;
    at: string;
    platform: Platform;
    kind: "head" | "range" | "hash" | "listing" | "proof";
    /** The blob that was looked at, where it was one. */
    digest: Digest | null;
    ok: number;
    detail: string;
  };
  /** Probes of a mirror in an hour, all platforms together; for plots of availability and lag. Pruned. */
  mirrorHour: {
    mirror: string;
    hour: string;
    probes: number;
    failed: number;
    /** The longest time, in seconds, that the mirror was behind the newest generation of any of its platforms. */
    lagSeconds: number;
  };
  /** Redirects to a mirror in an hour, and the bytes of the layers that they were for; added up by all instances. Pruned. */
  redirectHour: { mirror: string; hour: string; redirects: number; bytes: number };
  /**
   * How a generation travels: when it was made, how many mirrors carry the platform, and when half, nine tenths and all of
   * them had it. A time that is set never changes. Pruned.
   */
  propagation: {
    platform: Platform;
    generation: number;
    madeAt: string;
    mirrors: number;
    halfAt: string | null;
    ninetyAt: string | null;
    allAt: string | null;
  };
  /** Whose turn it is to crawl a mirror: one instance holds it until then, and another takes it over afterwards. */
  crawlLease: { mirror: string; holder: string; until: string };
}
