import type { Config } from "@nearlayer/shared/config/schema";
import type { Logger } from "@nearlayer/shared/log";
import type { Network } from "../mirrors/network.ts";
import type { Variants } from "../variants/variants.ts";
import type { Failover } from "./failover.ts";
import type { FirstUse } from "./first-use.ts";

/** What it takes to lead a client to a layer. */
export interface PullDeps {
  readonly config: Pick<Config, "root" | "mirrorlist" | "crawler">;
  readonly network: Network;
  readonly firstUse: FirstUse;
  readonly failover: Failover;
  readonly variants: Variants;
  readonly log: Logger;
  readonly now: () => number;
}
