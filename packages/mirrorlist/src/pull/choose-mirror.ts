import type { Digest } from "@nearlayer/shared/digest";
import type { Repository } from "@nearlayer/shared/reference";
import { maxProbeAge } from "../mirrors/probe.ts";
import type { Client } from "../selection/client.ts";
import { type Candidate, select } from "../selection/select.ts";
import { redirectSpread } from "../selection/spread.ts";
import type { ServedBlob } from "../served/blob-table.ts";
import type { PullDeps } from "./deps.ts";

export type ChooseDeps = Pick<PullDeps, "config" | "network" | "firstUse" | "failover" | "log" | "now">;

/** A GET of a layer. */
export interface LayerRequest {
  readonly client: Client;
  /** Tells the clients of one address apart as well as can be. */
  readonly userAgent: string;
  /** Images of different repositories share layers, and are pulled one after another without anything having failed. */
  readonly repository: Repository;
  readonly digest: Digest;
  readonly blob: ServedBlob;
  readonly httpsOnly: boolean;
}

/** The mirror to send the client to, or undefined for the origin; and how many it had been sent to before. */
export interface Choice {
  readonly candidate: Candidate | undefined;
  readonly failover: number;
}

/** How many mirrors may fail their check before the client has waited long enough, and gets the origin. */
const MAX_CHECKS = 3;

/** The best mirror that has not failed this client for this blob, and that has just been seen to have it. */
export async function chooseMirror(deps: ChooseDeps, request: LayerRequest): Promise<Choice> {
  const { client, userAgent, repository, digest, blob, httpsOnly } = request;
  const whoAsks = `${client.address.toString()} ${repository} ${userAgent.slice(0, 100)}`;
  const tried = deps.failover.tried(whoAsks, digest);
  const { candidates } = select(
    {
      client,
      placements: blob.placements,
      spread: redirectSpread(client, digest),
      httpsOnly,
      maxProbeAge: maxProbeAge(deps.config.crawler.interval),
    },
    deps.network.mirrors(),
    deps.now(),
  );
  const untried = candidates.filter(({ mirror }) => !tried.includes(mirror.name));
  for (const candidate of untried.slice(0, MAX_CHECKS)) {
    const verdict = await deps.firstUse.check(candidate, digest, blob.size);
    if (verdict.ok) {
      deps.failover.note(whoAsks, digest, candidate.mirror.name);
      return { candidate, failover: tried.length };
    }
    deps.log.warn({ mirror: candidate.mirror.name, digest, reason: verdict.reason }, "mirror fails its check");
  }
  return { candidate: undefined, failover: tried.length };
}
