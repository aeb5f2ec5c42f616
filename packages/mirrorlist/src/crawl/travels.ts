import { readGeneration } from "@nearlayer/shared/catalog/generations";
import { type Propagated, readOpenPropagation } from "@nearlayer/shared/catalog/history";
import type { Catalog } from "@nearlayer/shared/catalog/open";
import type { Platform } from "@nearlayer/shared/platform";
import { createLru } from "../lru.ts";
import type { Mirror } from "../mirrors/mirror.ts";
import { measurePropagation } from "./propagation.ts";

/** When generations were made, in epoch ms by the catalog; each is asked for once. */
export function createMadeAt(
  catalog: Catalog,
): (platform: Platform, generation: number) => Promise<number | undefined> {
  const known = createLru<string, number>(10_000);
  return async (platform, generation) => {
    const key = `${platform} ${generation}`;
    const remembered = known.get(key);
    if (remembered !== undefined) return remembered;
    const made = await readGeneration(catalog, platform, generation);
    if (made === undefined) return undefined;
    const at = Date.parse(made.time);
    known.set(key, at);
    return at;
  };
}

/** Follows generations on their way to the mirrors. */
export interface Travels {
  /** What is to be written down of the generations that are on their way. `now` is the database's time, in epoch ms. */
  look(mirrors: readonly Mirror[], newest: ReadonlyMap<Platform, number>, now: number): Promise<Propagated[]>;
}

/** How many generations of a platform are followed at a time: the newest ones. */
const FOLLOWED = 20;

/**
 * A generation that was there before anybody looked is not followed: when the mirrors had it nobody knows. `isNews` is
 * the oldest that counts as news, in ms.
 */
export function createTravels(
  catalog: Catalog,
  madeAt: (platform: Platform, generation: number) => Promise<number | undefined>,
  startedAt: number,
  isNews: () => number,
): Travels {
  const open = new Map<string, Propagated>();
  const seen = new Map<Platform, number>();
  let isRead = false;

  const begin = async (platform: Platform, upTo: number) => {
    const last = seen.get(platform) ?? upTo - 1;
    for (let number = Math.max(last, upTo - FOLLOWED) + 1; number <= upTo; number += 1) {
      const made = await madeAt(platform, number);
      if (made === undefined || made < startedAt - isNews() || open.has(`${platform} ${number}`)) continue;
      const times = { halfAt: null, ninetyAt: null, allAt: null };
      open.set(`${platform} ${number}`, {
        ...{ platform, generation: number, madeAt: new Date(made).toISOString(), mirrors: 0, ...times },
      });
    }
    seen.set(platform, upTo);
  };

  return {
    async look(mirrors, newest, now) {
      if (!isRead) {
        for (const row of await readOpenPropagation(catalog)) open.set(`${row.platform} ${row.generation}`, row);
        isRead = true;
      }
      for (const [platform, number] of newest) if (seen.get(platform) !== number) await begin(platform, number);
      const news: Propagated[] = [];
      for (const [key, known] of open) {
        if (known.generation <= (newest.get(known.platform) ?? 0) - FOLLOWED) {
          open.delete(key);
          continue;
        }
        const measured = measurePropagation(mirrors, known, new Date(now).toISOString());
        const next = {
          ...measured,
          halfAt: known.halfAt ?? measured.halfAt,
          ninetyAt: known.ninetyAt ?? measured.ninetyAt,
          allAt: known.allAt ?? measured.allAt,
        };
        const isSame =
          next.halfAt === known.halfAt && next.ninetyAt === known.ninetyAt && next.mirrors === known.mirrors;
        if (isSame && next.allAt === null) continue;
        news.push(next);
        if (next.allAt === null) open.set(key, next);
        else open.delete(key);
      }
      return news;
    },
  };
}
