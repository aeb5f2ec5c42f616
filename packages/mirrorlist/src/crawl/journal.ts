import { type NewAudit, writeAudits } from "@nearlayer/shared/catalog/audits";
import { databaseNow } from "@nearlayer/shared/catalog/clock";
import {
  addProbeHours,
  addRedirectHours,
  type HourOfProbes,
  type HourOfRedirects,
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
import { type ProbeRow, writeProbes } from "@nearlayer/shared/catalog/probes";
import type { Probe } from "../mirrors/probe.ts";
import { isSameProbe, rowOf } from "./rows.ts";

/**
 * What is still to be written: each thing once, however long the catalog cannot be written to. Everything goes in one
 * transaction, and changes of state, which are rare, in one of their own before it.
 */
export interface Journal {
  /** `before` is what was known of the mirror: only what says something new is written whole. */
  probed(mirror: string, before: ReadonlyMap<string, Probe>, probes: readonly Probe[]): void;
  /** Counts probes for the plots; `now` in epoch ms. */
  counted(
    mirror: string,
    counts: { readonly probes: number; readonly failed: number; readonly lagMs: number },
    now: number,
  ): void;
  audited(audits: readonly NewAudit[]): void;
  /** The transitions of one mirror, in their order. */
  changed(transitions: readonly MirrorTransition[]): void;
  /** The next turn of a mirror comes then, in epoch ms. */
  moved(mirror: string, until: number): void;
  redirected(mirror: string, bytes: number, now: number): void;
  propagated(rows: readonly Propagated[]): void;
  /** What is written soon, not with the next history. */
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

/** The most audits that wait while the catalog cannot be written to. */
const MAX_AUDITS = 10_000;

export function createJournal(): Journal {
  let probes = new Map<string, Map<string, Probe>>();
  let unchanged = new Set<string>();
  let audits: NewAudit[] = [];
  let transitions: MirrorTransition[][] = [];
  let moves = new Map<string, number>();
  let hours = new Map<string, HourOfProbes>();
  let redirects = new Map<string, HourOfRedirects>();
  let propagations = new Map<string, Propagated>();

  return {
    probed(mirror, before, news) {
      const isSame = news.every(
        (probe) => probe.failure === undefined && isSameProbe(before.get(probe.platform), probe),
      );
      // A doubt is written with its row, whose time the short way does not touch.
      if (isSame && news.every(({ doubt }) => doubt === undefined) && !probes.has(mirror))
        return void unchanged.add(mirror);
      unchanged.delete(mirror);
      const waiting = probes.get(mirror) ?? new Map<string, Probe>();
      for (const probe of news) waiting.set(probe.platform, probe);
      probes.set(mirror, waiting);
    },
    counted(mirror, { probes: count, failed, lagMs }, now) {
      const hour = hourOf(now);
      const key = `${mirror} ${hour}`;
      const known = hours.get(key) ?? { mirror, hour, probes: 0, failed: 0, lagSeconds: 0 };
      const lagSeconds = Math.min(2 ** 31 - 1, Math.round(lagMs / 1000));
      hours.set(key, {
        ...known,
        probes: known.probes + count,
        failed: known.failed + failed,
        lagSeconds: Math.max(known.lagSeconds, lagSeconds),
      });
    },
    audited(news) {
      audits = [...audits, ...news].slice(-MAX_AUDITS);
    },
    changed(next) {
      if (next.length > 0) transitions.push([...next]);
    },
    moved: (mirror, until) => void moves.set(mirror, until),
    redirected(mirror, bytes, now) {
      const hour = hourOf(now);
      const key = `${mirror} ${hour}`;
      const known = redirects.get(key) ?? { mirror, hour, redirects: 0, bytes: 0 };
      redirects.set(key, { ...known, redirects: known.redirects + 1, bytes: known.bytes + bytes });
    },
    propagated(rows) {
      for (const row of rows) propagations.set(`${row.platform} ${row.generation}`, row);
    },
    isEmpty: () =>
      probes.size + unchanged.size + audits.length + transitions.length + moves.size + propagations.size === 0,
    async flush(catalog, { skew, withHistory }) {
      const applied = transitions.length === 0 ? undefined : await writeTransitions(catalog, skew);
      await writeRest(catalog, skew, withHistory);
      return applied;
    },
  };

  async function writeTransitions(catalog: Catalog, skew: number): Promise<AppliedTransition[]> {
    const applied: AppliedTransition[] = [];
    while (transitions.length > 0) {
      // One of each mirror at a time: the next goes out from the state that this one leads to.
      const [first, rest] = firstOfEach(transitions);
      transitions = rest;
      const at = new Date(Date.now() + skew).toISOString();
      try {
        applied.push(...(await setMirrorStates(catalog, first, at)));
      } catch (error) {
        transitions = [...first.map((one) => [one]), ...transitions];
        throw error;
      }
    }
    return applied;
  }

  async function writeRest(catalog: Catalog, skew: number, withHistory: boolean): Promise<void> {
    const taken = { probes, unchanged, audits, moves, propagations, hours, redirects };
    [probes, unchanged, audits, moves, propagations] = [new Map(), new Set(), [], new Map(), new Map()];
    if (withHistory) [hours, redirects] = [new Map(), new Map()];
    const changed: ProbeRow[] = [...taken.probes].flatMap(([mirror, rows]) =>
      [...rows.values()].map((probe) => rowOf(mirror, probe, skew)),
    );
    const history = withHistory && taken.hours.size + taken.redirects.size > 0;
    const count =
      changed.length + taken.unchanged.size + taken.audits.length + taken.moves.size + taken.propagations.size;
    if (count === 0 && !history) return;
    try {
      await catalog.transaction().execute(async (transaction) => {
        const now = await databaseNow(transaction);
        await writeProbes(transaction, { changed, unchanged: [...taken.unchanged] }, now);
        await writeAudits(transaction, taken.audits, now);
        await moveTurns(transaction, taken.moves);
        await notePropagation(transaction, [...taken.propagations.values()]);
        if (!withHistory) return;
        await addProbeHours(transaction, [...taken.hours.values()]);
        await addRedirectHours(transaction, [...taken.redirects.values()]);
      });
    } catch (error) {
      putBack(taken, withHistory);
      throw error;
    }
  }

  /** What has come meanwhile is newer. */
  function putBack(
    taken: {
      probes: typeof probes;
      unchanged: typeof unchanged;
      audits: typeof audits;
      moves: typeof moves;
      propagations: typeof propagations;
      hours: typeof hours;
      redirects: typeof redirects;
    },
    withHistory: boolean,
  ): void {
    for (const [mirror, rows] of taken.probes) {
      probes.set(mirror, new Map([...rows, ...(probes.get(mirror) ?? [])]));
      unchanged.delete(mirror);
    }
    for (const mirror of taken.unchanged) if (!probes.has(mirror)) unchanged.add(mirror);
    audits = [...taken.audits, ...audits].slice(-MAX_AUDITS);
    moves = new Map([...taken.moves, ...moves]);
    propagations = new Map([...taken.propagations, ...propagations]);
    if (!withHistory) return;
    for (const [key, hour] of taken.hours) {
      const since = hours.get(key);
      hours.set(
        key,
        since === undefined
          ? hour
          : {
              ...hour,
              probes: hour.probes + since.probes,
              failed: hour.failed + since.failed,
              lagSeconds: Math.max(hour.lagSeconds, since.lagSeconds),
            },
      );
    }
    for (const [key, hour] of taken.redirects) {
      const since = redirects.get(key);
      redirects.set(
        key,
        since === undefined
          ? hour
          : { ...hour, redirects: hour.redirects + since.redirects, bytes: hour.bytes + since.bytes },
      );
    }
  }
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
