import type { Digest } from "@nearlayer/shared/digest";
import { maxProbeAge } from "../mirrors/probe.ts";
import type { Ready } from "../ready.ts";
import type { Client } from "../selection/client.ts";
import { type Candidate, nearest } from "../selection/select.ts";
import { redirectSpread } from "../selection/spread.ts";
import type { ServedBlob } from "../served/blob-table.ts";
import type { Wanted } from "./attempts.ts";
import type { PullDeps } from "./deps.ts";
import type { Failed, Puller } from "./failover.ts";
import { firstGood } from "./first-good.ts";
import type { Verdict } from "./verdict.ts";

export type ChooseDeps = Pick<PullDeps, "config" | "network" | "firstUse" | "failover" | "log" | "now">;

/** A GET of a layer. */
export interface LayerRequest {
  readonly client: Client;
  readonly puller: Puller;
  readonly digest: Digest;
  readonly blob: ServedBlob;
  readonly wanted: Wanted;
  readonly httpsOnly: boolean;
}

/** The mirror to send the client to, or undefined for the origin; and how often mirrors have failed it before. */
export interface Choice {
  readonly candidate: Candidate | undefined;
  readonly failover: number;
}

/** How many mirrors may fail a client before it gets the origin: clients that try again do so three times at least. */
const MAX_FAILED = 3;
/** How many mirrors are looked at for one request, and how long the client waits for it at most. */
const MAX_CHECKS = 3;
/** Of a thousand mirrors, these are the only ones that count: so many cannot be passed over. */
const MAX_CANDIDATES = 16;
const PATIENCE = { step: 500, total: 2000 };

/** The best mirror that has not failed this client for this blob, and that has just been seen to have it. */
export function chooseMirror(deps: ChooseDeps, request: LayerRequest): Ready<Choice> {
  const { puller, digest, wanted } = request;
  const first = knownFirst(deps, request);
  const failed = deps.failover.ask(puller, digest, wanted, first?.mirror.url);
  if (first !== undefined && failed.times === 0) return { candidate: first, failover: 0 };
  return chooseAmongMore(deps, request, failed);
}

async function chooseAmongMore(deps: ChooseDeps, request: LayerRequest, failed: Failed): Promise<Choice> {
  const { puller, digest, blob } = request;
  const candidates = candidatesFor(deps, request, MAX_CANDIDATES);
  if (failed.times > 0) {
    for (const candidate of candidates) {
      if (failed.mirrors.includes(candidate.mirror.url)) deps.firstUse.doubt(candidate, digest, blob.size);
    }
  }
  if (failed.times >= MAX_FAILED) return { candidate: undefined, failover: failed.times };
  const untried = candidates.filter(({ mirror }) => !failed.mirrors.includes(mirror.url));
  const candidate = await firstSeen(deps, request, untried);
  if (candidate !== undefined) deps.failover.sent(puller, digest, candidate.mirror.url);
  return { candidate, failover: failed.times };
}

/** As nearly all requests end: the nearest mirror, when it is known to have the blob. */
function knownFirst(deps: ChooseDeps, request: LayerRequest): Candidate | undefined {
  const [first] = candidatesFor(deps, request, 1);
  const verdict = first && deps.firstUse.remembered(first, request.digest, request.blob.size);
  return verdict !== undefined && serves(verdict, request.wanted).ok ? first : undefined;
}

function candidatesFor(
  { config, network, now }: ChooseDeps,
  request: LayerRequest,
  count: number,
): readonly Candidate[] {
  const { client, digest, blob, httpsOnly } = request;
  const spread = redirectSpread(client, digest);
  const probeAge = maxProbeAge(config.crawler.interval);
  const { scheme } = config.mirrorlist;
  const selection = { client, placements: blob.placements, spread, httpsOnly, scheme, maxProbeAge: probeAge };
  return nearest(selection, network.mirrors(), now(), count);
}

/** What a look has shown, for a request that may be for a part. */
function serves(verdict: Verdict, wanted: Wanted): Verdict {
  const isEnough = !verdict.ok || wanted === "whole" || verdict.hasRanges;
  return isEnough ? verdict : { ok: false, reason: "takes no notice of Range" };
}

/** Without waiting when what is remembered is enough, else within the patience for looks. */
async function firstSeen(
  { firstUse, log }: ChooseDeps,
  { digest, blob, wanted }: LayerRequest,
  candidates: readonly Candidate[],
): Promise<Candidate | undefined> {
  const open: Candidate[] = [];
  for (const candidate of candidates) {
    const verdict = firstUse.remembered(candidate, digest, blob.size);
    if (verdict === undefined) open.push(candidate);
    else if (serves(verdict, wanted).ok) {
      if (open.length === 0) return candidate;
      open.push(candidate);
      break;
    }
    if (open.length === MAX_CHECKS) break;
  }
  const check = async (candidate: Candidate) => {
    const verdict = serves(await firstUse.check(candidate, digest, blob.size), wanted);
    if (!verdict.ok)
      log.warn({ mirror: candidate.mirror.name, digest, reason: verdict.reason }, "mirror fails its check");
    return verdict;
  };
  return open.length === 0 ? undefined : firstGood(open, check, PATIENCE);
}
