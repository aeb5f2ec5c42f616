import type { Config } from "@nearlayer/shared/config/schema";
import type { Geo } from "../geo/geo.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { Gate } from "../optin/gate.ts";
import type { OptIns } from "../optin/opt-ins.ts";
import type { PullDeps } from "../pull/deps.ts";
import type { Records } from "../records/records.ts";
import type { Client } from "../selection/client.ts";
import type { Snapshot } from "../served/snapshot.ts";
import type { Written } from "../variants/written.ts";
import type { BaseUrlOf } from "./base-url.ts";
import type { Forwarded } from "./forwarded.ts";

/** Everything that requests are answered from. */
export interface AppDeps extends PullDeps {
  readonly config: PullDeps["config"] & Pick<Config, "optin">;
  /** The newest snapshot; a request takes it once and stays with it. */
  readonly snapshot: () => Snapshot;
  readonly geo: Geo;
  /**
   * A snapshot that has what another instance may have shown to a client already, or the one that there is: for what is
   * not in it. Waits a moment at most.
   */
  readonly newest: () => Promise<Snapshot>;
  readonly readiness: () => Readiness;
  readonly optIns: OptIns;
  readonly gate: Gate;
  /** Counts a client that was sent to a mirror for so many bytes. */
  readonly redirected?: (mirror: string, bytes: number) => void;
  readonly metrics: Metrics;
  /** What the catalog tells people of the mirrors. */
  readonly records: Records;
}

/** Whether clients should be sent here, and what is not as it should be, one clause each. */
export interface Readiness {
  readonly state: "ready" | "degraded" | "not ready";
  readonly reasons: readonly string[];
}

/** What handlers are given: the dependencies, and what is made of them once for the application. */
export interface Context extends AppDeps {
  readonly baseUrlOf: BaseUrlOf;
  readonly written: Written;
}

/** What is known of a request before it is answered, and what the access log says of it afterwards. */
export interface RequestState {
  forwarded: Forwarded;
  client: Client;
  entry: AccessEntry;
}

/** The fields of the access log that the answer fills in. */
export interface AccessEntry {
  kind: string;
  repository?: string;
  reference?: string;
  /** Of the bytes that were sent, or that the answer is about. */
  digest?: string;
  delivery?: string;
  mirror?: string;
  rank?: string;
  /** How many mirrors the client had been sent to for this blob before. */
  failover?: number;
  error?: string;
  /** The bytes of a layer that have been read for the client so far. */
  originBytes?: () => number;
}
