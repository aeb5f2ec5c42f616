import {
  type AuditRow,
  countChangesTo,
  type NewAudit,
  readAudits,
  readHashedBytes,
} from "@nearlayer/shared/catalog/audits";
import { readCarried, readCarriedFrom } from "@nearlayer/shared/catalog/carried";
import type { MirrorTransition } from "@nearlayer/shared/catalog/mirror-states";
import type { CrawlerConfig } from "@nearlayer/shared/config/crawler";
import type { Mirror } from "../mirrors/mirror.ts";
import type { Probe } from "../mirrors/probe.ts";
import { auditBlobs, auditOf } from "./audit.ts";
import type { BlobThere } from "./blob-check.ts";
import { listBlobs, missingFrom } from "./listing.ts";
import { describeBlob, describeLook, eachOf, isLacking, isWrong, type Looked, lookAt } from "./look.ts";
import { CLEAN_AUDITS, nextState, type Observation } from "./state.ts";
import { blobsToSeeAgain, standingOf, type TurnMeans } from "./turn.ts";

/** What an audit has brought. */
export interface AuditReport {
  readonly mirror: Mirror;
  /** Probes that count for less since. */
  readonly probes: readonly Probe[];
  readonly audits: readonly NewAudit[];
  readonly transitions: readonly MirrorTransition[];
}

const DAY_MS = 86_400_000;
const LISTING_MS = 20_000;
/** How many blobs that a listing lacks are looked for over HTTP: it is that which clients get. */
const MOST_DOUBTED = 3;
/** More than a 256th part of a platform ever holds, as far as we are concerned. */
const MOST_LISTED = 20_000;

/** How often a mirror is audited. One in quarantine gets its chance in time. */
export function auditEvery({ state }: Mirror, { auditEvery: every, quarantine }: CrawlerConfig): number {
  return state === "quarantined" ? Math.min(every, quarantine / (CLEAN_AUDITS + 1)) : every;
}

/** May this mirror be audited now? One that does not answer, or that nobody is sent to yet, need not be. */
export const isAudited = ({ state, disabled }: Mirror): boolean =>
  !disabled && (state === "active" || state === "stale" || state === "quarantined");

/** Audits a mirror in one of its platforms. Undefined when another instance has just done so, or nothing is there yet. */
export async function takeAudit(mirror: Mirror, means: TurnMeans): Promise<AuditReport | undefined> {
  const settings = means.settings();
  const rows = await readAudits(means.catalog, mirror.name, settings.audits);
  const [newest] = rows;
  if (newest !== undefined && means.now() - Date.parse(newest.at) < auditEvery(mirror, settings) / 2) return undefined;
  const probe = choosePlatform(mirror, rows, means);
  if (probe?.generation === undefined || probe.generation < 1) return undefined;
  const { platform, generation } = probe;
  const since = new Date(means.now() - DAY_MS).toISOString();
  const hashed = settings.hashBytesPerDay === 0 ? 0 : await readHashedBytes(means.catalog, mirror.name, since);
  const also = await blobsToSeeAgain(mirror, platform, probe, means);
  const hashBytes = settings.hashBytesPerDay - hashed;
  const audited = await auditBlobs(mirror, { platform, generation }, means, { hashBytes, also });
  const listed = mirror.rsync === undefined ? NOTHING : await auditListing(mirror, probe, mirror.rsync, means);
  const looks = [...audited.looks, ...listed.looks];
  const audits = [...audited.audits, ...listed.audits];
  return conclude(mirror, looks, audits, rows, means);
}

const NOTHING = { looks: [], audits: [] };

/** Somebody has seen a blob there that is not as it should be: is that so? A client's word alone decides nothing. */
export async function takeSuspicion(there: BlobThere, means: TurnMeans): Promise<AuditReport> {
  const look = await lookAt(there, means);
  const rows = await readAudits(means.catalog, there.mirror.name, means.settings().audits);
  return conclude(there.mirror, [look], [auditOf("range", look)], rows, means);
}

async function conclude(
  mirror: Mirror,
  looks: readonly Looked[],
  audits: readonly NewAudit[],
  rows: readonly AuditRow[],
  means: TurnMeans,
): Promise<AuditReport> {
  const wrong = looks.find(isWrong);
  const observation: Observation = {
    ...(wrong === undefined ? {} : { wrong: describeLook(wrong) }),
    ...(mirror.state === "quarantined" ? { quarantine: await quarantineOf(mirror, audits, rows, means) } : {}),
  };
  const standing = standingOf(mirror);
  const next = nextState(standing, observation, means.now(), means.settings());
  const { name } = mirror;
  const transitions: MirrorTransition[] =
    next === undefined ? [] : [{ name, to: next.state, reason: next.reason, actor: "crawler", from: [standing.state] }];
  return { mirror, audits, transitions, probes: await lessened(mirror, looks.filter(isLacking), means) };
}

/** One at random, but where something was amiss that comes first. */
function choosePlatform(mirror: Mirror, rows: readonly AuditRow[], { random }: TurnMeans): Probe | undefined {
  const good = [...mirror.probes.values()].filter(
    ({ failure, generation }) => failure === undefined && (generation ?? 0) > 0,
  );
  const amiss = mirror.state === "quarantined" ? rows.find(({ ok }) => ok === 0)?.platform : undefined;
  return good.find(({ platform }) => platform === amiss) ?? good[Math.floor(random() * good.length)];
}

/** Audits in a row without fault: those of one writing are one audit. */
async function quarantineOf(mirror: Mirror, own: readonly NewAudit[], rows: readonly AuditRow[], means: TurnMeans) {
  const times = await countChangesTo(means.catalog, mirror.name, "quarantined");
  if (own.length === 0 || own.some(({ ok }) => ok === 0)) return { clean: 0, times };
  const clean = new Set<string>();
  for (const { ok, at } of rows) {
    if (ok === 0 || at <= mirror.stateSince) {
      clean.delete(at);
      break;
    }
    clean.add(at);
  }
  return { clean: clean.size + 1, times };
}

/** A mirror that lacks a blob has not come as far as was thought: it counts for what was before. */
async function lessened(mirror: Mirror, lacking: readonly Looked[], means: TurnMeans): Promise<Probe[]> {
  const byPlatform = Map.groupBy(lacking, ({ there }) => there.platform);
  const probes: Probe[] = [];
  for (const [platform, looks] of byPlatform) {
    const probe = mirror.probes.get(platform);
    if (probe?.generation === undefined || probe.failure !== undefined) continue;
    const span = { platform, after: 0, upTo: probe.generation };
    const digests = looks.map(({ there }) => there.digest);
    const blobs = await readCarried(means.catalog, span, digests);
    const [first] = looks;
    if (blobs.length === 0 || first === undefined) continue;
    const shown = probe.shown ?? probe.generation;
    const reached = Math.min(...blobs.map(({ since }) => since)) - 1;
    probes.push({
      ...probe,
      generation: reached,
      shown,
      doubt: `shows generation ${shown}, and ${describeBlob(first)}`,
    });
  }
  return probes;
}

/** Compares a 256th part of what the platform holds with what rsync lists there. */
async function auditListing(mirror: Mirror, probe: Probe, source: string, means: TurnMeans) {
  const { platform, generation = 0 } = probe;
  const { catalog, agent, signal, root, timeoutMs } = means;
  const span = { platform, after: 0, upTo: generation };
  // Where one of the newest is: a part of a small platform may be empty.
  const [drawn] = (await means.blobs.draw(span, 1)).blobs;
  if (drawn === undefined) return NOTHING;
  const digits = drawn.digest.slice(7, 9);
  // "g" comes after every digit.
  const expected = await readCarriedFrom(catalog, span, `sha256:${digits}`, MOST_LISTED, `sha256:${digits}g`);
  if (expected.length === 0) return NOTHING;
  const listing = await listBlobs(source, platform, digits, {
    allowPrivateAddress: mirror.allowPrivateAddress,
    timeoutMs: LISTING_MS,
    ...(signal === undefined ? {} : { signal }),
  });
  const note = (ok: boolean, detail: string): NewAudit => {
    return { mirror: mirror.name, platform, kind: "listing", digest: null, ok: Number(ok), detail };
  };
  if ("failure" in listing) return { looks: [], audits: [note(false, listing.failure)] };
  const missing = missingFrom(listing.files, expected);
  const where = `${platform}/blobs/sha256/${digits}/`;
  if (missing.length === 0) return { looks: [], audits: [note(true, `${where} has all ${expected.length} blobs`)] };
  const doubted = [...missing].sort((a, b) => a.since - b.since).slice(0, MOST_DOUBTED);
  const there = doubted.map(({ digest, size }) => ({ mirror, platform, digest, size }));
  const looks = await eachOf(there, 1, (one) => lookAt(one, { agent, root, timeoutMs, ...(signal && { signal }) }));
  const detail = `${where} lacks ${missing.length} of ${expected.length} blobs, or has them in another size`;
  return { looks, audits: [note(false, detail), ...looks.map((look) => auditOf("range", look))] };
}
