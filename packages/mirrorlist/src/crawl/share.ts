import { randomUUID } from "node:crypto";
import { isBusy } from "@nearlayer/shared/catalog/busy";
import { claimTurns } from "@nearlayer/shared/catalog/leases";
import { readWantedProbes } from "@nearlayer/shared/catalog/mirror-states";
import type { Catalog } from "@nearlayer/shared/catalog/open";
import { readProbes } from "@nearlayer/shared/catalog/probes";
import { messageOf } from "@nearlayer/shared/errors";
import type { Logger } from "@nearlayer/shared/log";
import type { Mirror } from "../mirrors/mirror.ts";
import type { Probe } from "../mirrors/probe.ts";
import { probeOf } from "./rows.ts";
import { firstTurnIn } from "./schedule.ts";

/** This instance's share of the crawl. Times are our own, in epoch ms. */
export interface Share {
  /** How far the database's clock is ahead of ours, in ms, as far as it is known. */
  skew(): number;
  /** Has the last turn of this mirror ended, as far as is known here? */
  isDue(name: string): boolean;
  /** The next turn of a mirror is in so many ms. */
  postpone(name: string, ms: number): void;
  /** Forgets mirrors that are no more. */
  keep(names: ReadonlySet<string>): void;
  /**
   * The turns that are to be had: of these mirrors, those that are nobody else's (or all, when they are `forced`), and of
   * others (`find`) those that somebody has asked for. Without the catalog, all that are due: everybody crawls alone.
   */
  claim(
    due: ReadonlyMap<string, Mirror>,
    find: (name: string) => Mirror | undefined,
    options?: { readonly forced: boolean },
  ): Promise<Mirror[]>;
  /** What other instances have seen since the last time, and at first what anybody has, by mirror. */
  readOthers(): Promise<ReadonlyMap<string, readonly Probe[]>>;
}

export interface ShareDeps {
  readonly catalog: Catalog;
  readonly interval: () => number;
  readonly now: () => number;
  readonly log: Logger;
}

export function createShare({ catalog, interval, now, log }: ShareDeps): Share {
  const holder = randomUUID();
  const startedAt = now();
  const nextAt = new Map<string, number>();
  let skew = 0;
  /** When another instance was last seen to have a turn: only then is there something to read. */
  let othersAt = Number.NEGATIVE_INFINITY;
  let readUpTo: string | undefined;

  /** Another writer on SQLite ends soon, and a turn can wait; but not for long. */
  const canWait = (due: ReadonlyMap<string, Mirror>) =>
    [...due.keys()].every((name) => now() - (nextAt.get(name) ?? startedAt) <= interval() / 4);

  return {
    skew: () => skew,
    isDue: (name) => (nextAt.get(name) ?? 0) <= now(),
    postpone: (name, ms) => void nextAt.set(name, now() + ms),
    keep(names) {
      for (const name of nextAt.keys()) if (!names.has(name)) nextAt.delete(name);
    },
    async claim(due, find, { forced } = { forced: false }) {
      const wished = await readWantedProbes(catalog).catch(() => []);
      const asked = new Map(due);
      for (const { name } of wished) {
        const mirror = asked.get(name) ?? find(name);
        if (mirror !== undefined) asked.set(name, mirror);
      }
      if (asked.size === 0) return [];
      const every = interval();
      const turns = [...asked].map(
        ([name, { seed }]) => [name, { every, first: firstTurnIn(every, seed[0]) }] as const,
      );
      try {
        // Who is asked just now is asked once more afterwards: the wish stays.
        const granted = wished.filter(({ name }) => asked.has(name));
        const claim = { holder, due: new Map(turns), wished: granted, ...(forced ? { now: new Set(due.keys()) } : {}) };
        const taken = await claimTurns(catalog, claim);
        skew = taken.now - now();
        for (const [name, until] of taken.until) nextAt.set(name, until - skew);
        if (taken.ours.length < asked.size) othersAt = now();
        return taken.ours.flatMap((name) => asked.get(name) ?? []);
      } catch (error) {
        if (isBusy(error) && !forced && canWait(due)) return [];
        log.debug({ reason: messageOf(error) }, "crawling without the catalog");
        for (const name of due.keys()) nextAt.set(name, now() + every);
        return [...due.values()];
      }
    },
    async readOthers() {
      if (readUpTo !== undefined && now() - othersAt > 3 * interval()) return new Map();
      const rows = await readProbes(catalog, readUpTo);
      readUpTo ??= "";
      for (const { at } of rows) if (at > readUpTo) readUpTo = at;
      return new Map(
        [...Map.groupBy(rows, ({ mirror }) => mirror)].map(([name, some]) => [
          name,
          some.map((row) => probeOf(row, skew)),
        ]),
      );
    },
  };
}
