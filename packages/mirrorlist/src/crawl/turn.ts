import { failedBlobs, type NewAudit, readAudits } from "@nearlayer/shared/catalog/audits";
import { readCarried } from "@nearlayer/shared/catalog/carried";
import type { MirrorTransition } from "@nearlayer/shared/catalog/mirror-states";
import { readMirror } from "@nearlayer/shared/catalog/mirrors";
import type { Catalog } from "@nearlayer/shared/catalog/open";
import type { CrawlerConfig } from "@nearlayer/shared/config/crawler";
import type { Platform } from "@nearlayer/shared/platform";
import type { Mirror } from "../mirrors/mirror.ts";
import type { Probe } from "../mirrors/probe.ts";
import type { AuditMeans } from "./audit.ts";
import { auditOf } from "./audit.ts";
import type { BlobThere } from "./blob-check.ts";
import { FIRST_SAMPLE, SAMPLE, settleClaim } from "./claim.ts";
import { describeLook, isWrong, type Looked } from "./look.ts";
import { type ProbeMeans, probe } from "./probe.ts";
import { checkProof } from "./proof.ts";
import { nextTurnIn } from "./schedule.ts";
import { nextState, type Observation, type Standing } from "./state.ts";

/** What a turn needs of the world. Times are the database's, in epoch ms, as far as they are written down. */
export interface TurnMeans extends AuditMeans, Omit<ProbeMeans, "agent" | "timeoutMs" | "signal"> {
  readonly catalog: Catalog;
  readonly settings: () => CrawlerConfig;
  /** The newest generation of each platform that is published. */
  readonly newest: () => ReadonlyMap<Platform, number>;
  /** When a generation was made; undefined when that cannot be told now. */
  readonly madeAt: (platform: Platform, generation: number) => Promise<number | undefined>;
  /** Does a mirror that opts in wait for the operator? */
  readonly needsApproval: () => boolean;
}

/** What a turn has brought. */
export interface TurnReport {
  readonly mirror: Mirror;
  readonly probes: readonly Probe[];
  readonly audits: readonly NewAudit[];
  /** One after the other. */
  readonly transitions: readonly MirrorTransition[];
  /** Until the next turn, in ms. */
  readonly nextIn: number;
  /** The longest that it is behind in any platform, in ms; of no meaning while nothing was probed. */
  readonly lagMs: number;
}

/** The kinds of failure for which the other platforms need not be asked: nobody is there. */
const NOBODY = new Set(["network", "timeout", "private-address"]);

/** The platforms to ask a mirror for: those that have a generation and that it carries. */
export function platformsToProbe(mirror: Mirror, published: Iterable<Platform>): Platform[] {
  if (mirror.disabled) return [];
  return [...published].filter((platform) => mirror.platforms?.has(platform) ?? true);
}

export const standingOf = ({ state, reason, stateSince }: Mirror): Standing => ({
  state,
  reason,
  since: Date.parse(stateSince) || 0,
});

/** One turn: the proof of who is new, a probe of each platform, the blobs of what is new, and the state that follows. */
export async function takeTurn(mirror: Mirror, means: TurnMeans): Promise<TurnReport> {
  let standing = standingOf(mirror);
  const transitions: MirrorTransition[] = [];
  const go = (seen: Observation) => {
    const next = nextState(standing, seen, means.now(), means.settings());
    if (next === undefined) return;
    transitions.push({
      name: mirror.name,
      to: next.state,
      reason: next.reason,
      actor: "crawler",
      from: [standing.state],
    });
    standing = { ...next, since: next.state === standing.state ? standing.since : means.now() };
  };
  const report = (probes: readonly Probe[], audits: readonly NewAudit[], isFailing: boolean, lagMs = 0): TurnReport => {
    const nextIn = nextTurnIn(means.settings().interval, { ...standing, isFailing }, means.now());
    return { mirror, probes, audits, transitions, nextIn, lagMs };
  };

  if (standing.state === "pending") go(await seeProof(mirror, means));
  if (standing.state === "pending") return report([], [], true);
  const { probes, looks } = await probeAll(mirror, standing, means);
  const audits = looks.map((look) => auditOf("range", look));
  const lag = await lagOf(probes, means);
  const observation = observe(mirror, standing, probes, looks);
  go({ ...observation, ...(lag === undefined ? {} : { lag }) });
  return report(probes, audits, observation.contact?.ok === false, lag?.ms ?? 0);
}

async function seeProof(mirror: Mirror, means: TurnMeans): Promise<Observation> {
  const record = await readMirror(means.catalog, mirror.name).catch(() => undefined);
  if (record === undefined) return {};
  const proof =
    record.proof === null ? { ok: true, detail: "needs no proof" } : await checkProof(mirror, record.proof, means);
  return {
    proof,
    awaitsApproval: means.needsApproval() && record.declaredBy === "mirror" && record.approvedAt === null,
  };
}

/** Platform after platform, over one connection; once nobody answers, the rest is taken as said. */
async function probeAll(mirror: Mirror, { state }: Standing, means: TurnMeans) {
  const probes: Probe[] = [];
  const looks: Looked[] = [];
  const sample = state === "checking" ? FIRST_SAMPLE : SAMPLE;
  let gone: Probe | undefined;
  for (const platform of platformsToProbe(mirror, means.newest().keys())) {
    const previous = mirror.probes.get(platform);
    const found: Probe =
      gone === undefined ? await probe(mirror, platform, means) : failedLike(gone, platform, previous);
    if (found.failure !== undefined && NOBODY.has(found.failure.kind)) gone = found;
    means.onProbed?.(mirror, found);
    const also = previous?.doubt === undefined ? [] : await blobsToSeeAgain(mirror, platform, found, means);
    const claim = await settleClaim(mirror, found, previous, means, { sample, also });
    probes.push(claim.probe);
    looks.push(...claim.looks);
  }
  return { probes, looks };
}

function failedLike({ failure, at }: Probe, platform: Platform, previous: Probe | undefined): Probe {
  const { generation, seenAt } = previous ?? {};
  return {
    platform,
    at,
    ...(generation === undefined ? {} : { generation }),
    ...(seenAt === undefined ? {} : { seenAt }),
    ...(failure === undefined ? {} : { failure }),
  };
}

/** The blobs that a mirror was last seen without, as far as they are still published. */
export async function blobsToSeeAgain(
  mirror: Mirror,
  platform: Platform,
  { shown, generation }: Probe,
  { catalog, settings }: Pick<TurnMeans, "catalog" | "settings">,
): Promise<BlobThere[]> {
  try {
    const failed = failedBlobs(await readAudits(catalog, mirror.name, settings().audits));
    const digests = failed.flatMap((one) => (one.platform === platform && one.digest !== null ? [one.digest] : []));
    const span = { platform, after: 0, upTo: shown ?? generation ?? 0 };
    const blobs = await readCarried(catalog, span, digests.slice(0, MOST_AGAIN));
    return blobs.map(({ digest, size }) => ({ mirror, platform, digest, size }));
  } catch {
    return [];
  }
}

const MOST_AGAIN = 8;

function observe(mirror: Mirror, { state }: Standing, probes: readonly Probe[], looks: readonly Looked[]): Observation {
  const wrong = looks.find(isWrong);
  const failed = probes.filter(({ failure }) => failure !== undefined);
  const good = probes.length - failed.length;
  const [first] = failed;
  const contact: Observation["contact"] =
    probes.length === 0
      ? undefined
      : good > 0
        ? { ok: true }
        : {
            ok: false,
            reason: `${first?.platform}: ${first?.failure?.message}`,
            wasFailing: probes.every(({ platform }) => mirror.probes.get(platform)?.failure !== undefined),
          };
  const lacks = state === "checking" ? lacksOf(mirror, probes) : undefined;
  return {
    ...(contact === undefined ? {} : { contact }),
    ...(wrong === undefined ? {} : { wrong: describeLook(wrong) }),
    ...(lacks === undefined ? {} : { lacks }),
  };
}

/** What a new mirror has not shown yet: every platform that it names, or one at least, and that what it claims is there. */
function lacksOf(mirror: Mirror, probes: readonly Probe[]): string | undefined {
  for (const { platform, failure, doubt } of probes) {
    const mayLack = mirror.platforms === undefined && failure?.kind === "absent";
    if (failure !== undefined && !mayLack) return `${platform}: ${failure.message}`;
    if (doubt !== undefined) return `${platform}: ${doubt}`;
  }
  return undefined;
}

/** The platform that it is behind in for longest, and since when the generation is there that it lacks. */
async function lagOf(probes: readonly Probe[], means: TurnMeans): Promise<Observation["lag"]> {
  let longest: Observation["lag"];
  for (const { platform, generation, failure, doubt } of probes) {
    const newest = means.newest().get(platform);
    if (failure !== undefined || generation === undefined || newest === undefined || generation >= newest) continue;
    const since = await means.madeAt(platform, generation + 1).catch(() => undefined);
    if (since === undefined) continue;
    const ms = means.now() - since;
    if (longest !== undefined && ms <= longest.ms) continue;
    const made = new Date(since).toISOString().slice(0, 16);
    const why = doubt === undefined ? "" : `: ${doubt}`;
    longest = { ms, detail: `${platform}: at generation ${generation} of ${newest}, behind since ${made}Z${why}` };
  }
  return longest;
}
