import type { Platform } from "@nearlayer/shared/platform";

/** Why a probe did not succeed, in a word that machines can count. */
export type ProbeFailureKind =
  | "network" // not reached: name, connection, TLS
  | "timeout"
  | "absent" // 404: the mirror does not have this platform
  | "status" // any other status than 200 and 304
  | "invalid" // not a GENERATION of this platform
  | "unsigned" // a GENERATION without the signature that the operator asks for
  | "foreign" // a GENERATION that was not made here
  | "unverified" // whether it was made here cannot be told while the catalog is out of reach
  | "private-address"; // a private or loopback address that the operator has not allowed

export interface ProbeFailure {
  readonly kind: ProbeFailureKind;
  readonly message: string;
}

/** What is known of one platform at one mirror. Immutable: each probe makes a new one. Times are epoch milliseconds. */
export interface Probe {
  readonly platform: Platform;
  /** When it was last asked. */
  readonly at: number;
  /** The generation that counts: shown when the mirror last answered well, and a sample of what is new in it seen there. */
  readonly generation?: number;
  /** The generation that it showed when it last answered well, where it is another than the one that counts. */
  readonly shown?: number;
  /** Why what it shows does not count, a clause for people. */
  readonly doubt?: string;
  readonly seenAt?: number;
  /** What the next conditional request repeats. */
  readonly etag?: string;
  readonly lastModified?: string;
  /** Why the last probe failed; a probe without it was good. */
  readonly failure?: ProbeFailure;
}

/** The oldest good probe that still counts: two may be missed. */
export function maxProbeAge(intervalMs: number): number {
  return Math.max(3 * intervalMs, intervalMs + 10_000);
}
