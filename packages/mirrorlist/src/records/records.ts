import { setImmediate as yieldToOthers } from "node:timers/promises";
import type { HourOfProbes, Propagated } from "@nearlayer/shared/catalog/history";
import { type MirrorChange, readMirrorChanges } from "@nearlayer/shared/catalog/mirrors";
import {
  type Audit,
  type PlatformGenerations,
  type ProbeRecord,
  type Redirects,
  readAudits,
  readGenerationTimes,
  readHours,
  readProbes,
  readRedirects,
  readRedirectsOf,
  readTravels,
} from "@nearlayer/shared/catalog/network-view";
import type { Catalog } from "@nearlayer/shared/catalog/open";
import type { Platform } from "@nearlayer/shared/platform";
import { PATIENCE_MS, within } from "./patience.ts";
import { type Remembered, remember } from "./remember.ts";

/** What the catalog has of the generations. */
export interface Overview {
  readonly generations: ReadonlyMap<Platform, PlatformGenerations>;
  /** The newest first. */
  readonly travels: readonly Propagated[];
}

/** Where clients were sent in the last 24 hours. */
export interface DayOfRedirects {
  readonly byMirror: ReadonlyMap<string, Redirects>;
  readonly total: number;
}

/** What the catalog has of one mirror, the newest first, but for the hours. */
export interface MirrorHistory {
  readonly changes: readonly MirrorChange[];
  readonly audits: readonly Audit[];
  readonly probes: readonly ProbeRecord[];
  /** The last seven days, the oldest first. */
  readonly hours: readonly HourOfProbes[];
  readonly day: Redirects;
  readonly week: Redirects;
}

/** What is in the catalog for people to see, and not in memory already. */
export interface Records {
  /** A few seconds old at most, while the catalog can be read. */
  overview(): Promise<Remembered<Overview>>;
  /** A minute old at most. */
  redirects(): Promise<Remembered<DayOfRedirects>>;
  /** Undefined while the catalog cannot be read. Cost: some hundred rows. */
  history(mirror: string): Promise<MirrorHistory | undefined>;
}

const HOUR_MS = 3_600_000;
/** Hours of redirects that are read in one statement: of a thousand mirrors, a few milliseconds. */
const STEP = 4;
const GENERATIONS = 200;
const TRAVELS = 200;
const ROWS = 20;

export function createRecords(catalog: Catalog, now: () => number): Records {
  return {
    overview: remember(() => readOverview(catalog, now()), { forMs: 5000, now }),
    redirects: remember(() => readDay(catalog, now()), { forMs: 60_000, now }),
    history: (mirror) => within(PATIENCE_MS, readHistory(catalog, mirror, now())),
  };
}

async function readOverview(catalog: Catalog, now: number): Promise<Overview> {
  const generations = await readGenerationTimes(catalog, GENERATIONS);
  await yieldToOthers();
  const travels = await readTravels(catalog, new Date(now - 7 * 24 * HOUR_MS).toISOString(), TRAVELS);
  return { travels, generations: new Map(generations.map((one) => [one.newest.platform, one])) };
}

async function readDay(catalog: Catalog, now: number): Promise<DayOfRedirects> {
  const byMirror = new Map<string, Redirects>();
  let total = 0;
  for (let hours = 24; hours > 0; hours -= STEP) {
    for (const row of await readRedirects(catalog, hourAt(now, hours - 1), hourAt(now, hours - 1 - STEP))) {
      const known = byMirror.get(row.mirror) ?? { redirects: 0, bytes: 0 };
      const [redirects, bytes] = [known.redirects + row.redirects, known.bytes + row.bytes];
      byMirror.set(row.mirror, { mirror: row.mirror, redirects, bytes });
      total += row.redirects;
    }
    await yieldToOthers();
  }
  return { byMirror, total };
}

async function readHistory(catalog: Catalog, mirror: string, now: number): Promise<MirrorHistory> {
  return {
    changes: await readMirrorChanges(catalog, mirror, ROWS),
    audits: await readAudits(catalog, mirror, ROWS),
    probes: await readProbes(catalog, mirror),
    hours: await readHours(catalog, mirror, hourAt(now, 7 * 24 - 1)),
    day: await readRedirectsOf(catalog, mirror, hourAt(now, 23)),
    week: await readRedirectsOf(catalog, mirror, hourAt(now, 7 * 24 - 1)),
  };
}

/** The beginning of the hour that was so many hours ago: 0 is the hour that it is. */
function hourAt(now: number, hoursAgo: number): string {
  return new Date((Math.floor(now / HOUR_MS) - hoursAgo) * HOUR_MS).toISOString();
}
