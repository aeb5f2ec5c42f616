import { type NewAudit, writeAudits } from "@nearlayer/shared/catalog/audits";
import { databaseNow } from "@nearlayer/shared/catalog/clock";
import {
  addProbeHours,
  addRedirectHours,
  hourOf,
  notePropagation,
  type Propagated,
} from "@nearlayer/shared/catalog/history";
import { moveTurns } from "@nearlayer/shared/catalog/leases";
import {
  type AppliedTransition,
  type MirrorTransition,
  setMirrorStates,
} from "@nearlayer/shared/catalog/mirror-states";
import type { Catalog } from "@nearlayer/shared/catalog/open";
import { writeProbes } from "@nearlayer/shared/catalog/probes";
import type { Probe } from "../mirrors/probe.ts";
import { isSameProbe, rowOf } from "./rows.ts";
import { createProbeTally, createRedirectTally, probeHour } from "./tally.ts";

/**
 * What is still to be written: each thing once, however long the catalog cannot be written to. Everything goes in one
 * transaction, and changes of state, which are rare, in one of their own before it.
 */
export interface Journal {
  /** `before` is what was known of the mirror: only what says something new is written whole. */
  probed(mirror: string, before: ReadonlyMap<string, Probe>, probes: readonly Probe[]): void;
  /** Counts probes for the plots; `now` in epoch ms. */
  counted(mirror: string, counts: Parameters<typeof probeHour>[1], now: number): void;
  audited(audits: readonly NewAudit[]): void;
  /** The transitions of one mirror, in their order. */
  changed(transitions: readonly MirrorTransition[]): void;
  /** The next turn of a mirror comes then, in epoch ms. */
  moved(mirror: string, until: number): void;
  redirected(mirror: string, bytes: number, now: number): void;
  propagated(rows: readonly Propagated[]): void;
  /** Is there nothing but history, which can wait? */
  isEmpty(): boolean;
  /**
   * Writes all. Resolves with the changes of state, or undefined where none was waited for; when it rejects, what was not
   * written stays for the next time.
   */
  flush(
    catalog: Catalog,
    options: { readonly skew: number; readonly withHistory: boolean },
  ): Promise<AppliedTransition[] | undefined>;
}

/** What is written together. */
interface Page {
  /** By mirror, the newest of each platform. */
  readonly probes: Map<string, Map<string, Probe>>;
  /** Mirrors that are as they were. */
  readonly unchanged: Set<string>;
  readonly audits: NewAudit[];
  readonly moves: Map<string, number>;
  readonly propagations: Map<string, Propagated>;
}

const emptyPage = (): Page => ({
  ...{ probes: new Map(), unchanged: new Set(), audits: [], moves: new Map(), propagations: new Map() },
});
const sizeOf = ({ probes, unchanged, audits, moves, propagations }: Page) =>
  probes.size + unchanged.size + audits.length + moves.size + propagations.size;

/** The most audits that wait while the catalog cannot be written to. */
const MAX_AUDITS = 10_000;

export function createJournal(): Journal {
  let page = emptyPage();
  let transitions: MirrorTransition[][] = [];
  const hours = createProbeTally();
  const redirects = createRedirectTally();

  async function writeTransitions(catalog: Catalog, skew: number): Promise<AppliedTransition[]> {
    const applied: AppliedTransition[] = [];
    while (transitions.length > 0) {
      // One of each mirror at a time: the next goes out from the state that this one leads to.
      const [first, rest] = firstOfEach(transitions);
      transitions = rest;
      try {
        applied.push(...(await setMirrorStates(catalog, first, new Date(Date.now() + skew).toISOString())));
      } catch (error) {
        transitions = [...first.map((one) => [one]), ...transitions];
        throw error;
      }
    }
    return applied;
  }

  async function writePage(catalog: Catalog, skew: number, withHistory: boolean): Promise<void> {
    const taken = page;
    page = emptyPage();
    const [takenHours, takenRedirects] = withHistory ? [hours.take(), redirects.take()] : [[], []];
    if (sizeOf(taken) + takenHours.length + takenRedirects.length === 0) return;
    const rows = [...taken.probes].flatMap(([mirror, probes]) =>
      [...probes.values()].map((probe) => rowOf(mirror, probe, skew)),
    );
    try {
      await catalog.transaction().execute(async (transaction) => {
        const now = await databaseNow(transaction);
        await writeProbes(transaction, { changed: rows, unchanged: [...taken.unchanged] }, now);
        await writeAudits(transaction, taken.audits, now);
        await moveTurns(transaction, taken.moves);
        await notePropagation(transaction, [...taken.propagations.values()]);
        await addProbeHours(transaction, takenHours);
        await addRedirectHours(transaction, takenRedirects);
      });
    } catch (error) {
      page = onto(taken, page);
      takenHours.forEach(hours.add);
      takenRedirects.forEach(redirects.add);
      throw error;
    }
  }

  return {
    probed(mirror, before, news) {
      // A doubt is written whole: the short way is for what is well.
      const isSame = news.every(
        (probe) =>
          probe.failure === undefined && probe.doubt === undefined && isSameProbe(before.get(probe.platform), probe),
      );
      if (isSame && !page.probes.has(mirror)) return void page.unchanged.add(mirror);
      page.unchanged.delete(mirror);
      page.probes.set(mirror, new Map([...(page.probes.get(mirror) ?? []), ...byPlatform(news)]));
    },
    counted: (mirror, counts, now) => hours.add(probeHour(mirror, counts, now)),
    audited(news) {
      page = { ...page, audits: [...page.audits, ...news].slice(-MAX_AUDITS) };
    },
    changed(next) {
      if (next.length > 0) transitions.push([...next]);
    },
    moved: (mirror, until) => void page.moves.set(mirror, until),
    redirected: (mirror, bytes, now) => redirects.add({ mirror, hour: hourOf(now), redirects: 1, bytes }),
    propagated(rows) {
      for (const row of rows) page.propagations.set(`${row.platform} ${row.generation}`, row);
    },
    isEmpty: () => sizeOf(page) + transitions.length === 0,
    async flush(catalog, { skew, withHistory }) {
      const applied = transitions.length === 0 ? undefined : await writeTransitions(catalog, skew);
      await writePage(catalog, skew, withHistory);
      return applied;
    },
  };
}

const byPlatform = (probes: readonly Probe[]) => new Map(probes.map((probe) => [probe.platform as string, probe]));

/** What came later, over what came before: a mirror that is as it was is so only until it is another. */
function onto(before: Page, after: Page): Page {
  const probes = new Map(before.probes);
  for (const [mirror, news] of after.probes) probes.set(mirror, new Map([...(probes.get(mirror) ?? []), ...news]));
  return {
    probes,
    unchanged: new Set([...before.unchanged, ...after.unchanged].filter((mirror) => !probes.has(mirror))),
    audits: [...before.audits, ...after.audits].slice(-MAX_AUDITS),
    moves: new Map([...before.moves, ...after.moves]),
    propagations: new Map([...before.propagations, ...after.propagations]),
  };
}

function firstOfEach(waiting: readonly MirrorTransition[][]): [MirrorTransition[], MirrorTransition[][]] {
  const seen = new Set<string>();
  const first: MirrorTransition[] = [];
  const rest: MirrorTransition[][] = [];
  for (const [head, ...tail] of waiting) {
    if (head === undefined) continue;
    if (seen.has(head.name)) {
      rest.push([head, ...tail]);
      continue;
    }
    seen.add(head.name);
    first.push(head);
    if (tail.length > 0) rest.push(tail);
  }
  return [first, rest];
}
