import { chunksOf } from "./chunks.ts";
import { databaseNow, isoOf } from "./clock.ts";
import type { Catalog } from "./open.ts";

/**
 * Turns to crawl a mirror. A row of `crawl_lease` says whose the last turn was and until when it lasts: the next one is
 * then anybody's, and the first who asks has it. So each mirror has one turn in each interval, whoever is alive: what a
 * dead instance does not ask for any more, another does. All times are the database's (`clock.ts`).
 */
export interface TurnsWanted {
  /** Who asks: another word for each instance. */
  readonly holder: string;
  /** By mirror: how long a turn lasts, in ms, and how long its first one does, so that mirrors do not come all at once. */
  readonly due: ReadonlyMap<string, { readonly every: number; readonly first: number }>;
  /** Mirrors whose turn it is whatever the leases say. */
  readonly now?: ReadonlySet<string>;
  /** Probes that somebody has asked for (`probe_wanted_at`): a turn for whoever clears the wish. */
  readonly wished?: readonly { readonly name: string; readonly probeWantedAt: string }[];
}

export interface Turns {
  /** The database's time, in epoch ms. */
  readonly now: number;
  /** The mirrors that are ours for a turn. */
  readonly ours: readonly string[];
  /** Until when the turns of all that were asked for last, in epoch ms. */
  readonly until: ReadonlyMap<string, number>;
}

/** Takes the turns that are to be had, in one transaction. Cost: two rows for each mirror that is asked for. */
export async function claimTurns(
  catalog: Catalog,
  { holder, due, now: forced, wished = [] }: TurnsWanted,
): Promise<Turns> {
  return catalog.transaction().execute(async (transaction) => {
    const now = await databaseNow(transaction);
    const asked = new Set<string>();
    for (const { name, probeWantedAt } of wished) {
      const { numUpdatedRows } = await transaction
        .updateTable("mirror")
        .set({ probeWantedAt: null })
        .where("name", "=", name)
        .where("probeWantedAt", "=", probeWantedAt)
        .executeTakeFirst();
      if (numUpdatedRows > 0n && due.has(name)) asked.add(name);
    }
    const names = [...due.keys()];
    const leases = new Map<string, number>();
    for (const chunk of chunksOf(names)) {
      const rows = await transaction
        .selectFrom("crawlLease")
        .select(["mirror", "until"])
        .where("mirror", "in", chunk)
        .execute();
      for (const row of rows) leases.set(row.mirror, Date.parse(row.until));
    }
    const until = new Map<string, number>();
    const ours: string[] = [];
    for (const [name, { every, first }] of due) {
      const last = leases.get(name);
      // One that lasts longer than any does was given by longer intervals than now, or by a clock that went wrong.
      const isTaken = last !== undefined && last > now && last <= now + LONGEST * every;
      if (isTaken && !asked.has(name) && forced?.has(name) !== true) {
        until.set(name, last);
        continue;
      }
      ours.push(name);
      // From the end of the last turn on, so that the rhythm stays; not after a pause, or it would all be made up for.
      until.set(
        name,
        last !== undefined && last > now - every && last <= now
          ? last + every
          : now + (last === undefined ? first : every),
      );
    }
    await writeLeases(transaction, holder, ours, until);
    return { now, ours, until };
  });
}

/** In intervals: more than the longest pause between two turns of a mirror that is gone. */
const LONGEST = 6;

async function writeLeases(
  transaction: Catalog,
  holder: string,
  names: readonly string[],
  until: ReadonlyMap<string, number>,
): Promise<void> {
  const rows = names.map((mirror) => ({ mirror, holder, until: isoOf(until.get(mirror) ?? 0) }));
  for (const chunk of chunksOf(rows)) {
    await transaction
      .insertInto("crawlLease")
      .values(chunk)
      .onConflict((c) =>
        c.column("mirror").doUpdateSet((e) => ({ holder: e.ref("excluded.holder"), until: e.ref("excluded.until") })),
      )
      .execute();
  }
}

/** As part of a transaction: the next turns of mirrors come sooner or later than in an interval; epoch ms. */
export async function moveTurns(transaction: Catalog, until: ReadonlyMap<string, number>): Promise<void> {
  for (const [mirror, time] of until) {
    await transaction
      .updateTable("crawlLease")
      .set({ until: isoOf(time) })
      .where("mirror", "=", mirror)
      .execute();
  }
}
