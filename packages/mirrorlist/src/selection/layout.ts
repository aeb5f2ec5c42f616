import { createLru, type Lru } from "../lru.ts";
import type { Mirror } from "../mirrors/mirror.ts";
import { createNetblockTrie, type NetblockTrie } from "./netblock-trie.ts";
import { type Direction, directionOf } from "./position.ts";
import { type Scores, scoresOf } from "./rendezvous.ts";
import type { Standing } from "./standing.ts";

/** What was declared of the mirrors, arranged so that a request finds its way; a mirror is its number in the list. */
export interface Layout {
  readonly mirrors: readonly Mirror[];
  readonly netblocks: NetblockTrie<number>;
  readonly directions: readonly (Direction | undefined)[];
  readonly scores: Scores;
  /** Those that mirrors are in, numbered from 1 on. */
  readonly asns: ReadonlyMap<number, number>;
  /** How all mirrors stand to clients of a place, by what else there is to them: see `standing.ts`. */
  readonly standings: Lru<string, ReadonlyMap<number, Standing>>;
}

/** The most numbers that are kept in standings: about 32 MB. */
const REMEMBERED = 4_000_000;

const layouts = new WeakMap<readonly Mirror[], Layout>();
let newest: Layout | undefined;

/**
 * The layout of these mirrors. A probe makes a new list of mirrors that are declared as they were, for which the
 * layout that is there will do. This remembers, and nothing else: without it, all would be the same and slower.
 */
export function layoutOf(mirrors: readonly Mirror[]): Layout {
  const known = layouts.get(mirrors);
  if (known !== undefined) return known;
  const layout = newest !== undefined && fits(newest, mirrors) ? newest : layOut(mirrors);
  layouts.set(mirrors, layout);
  newest = layout;
  return layout;
}

function layOut(mirrors: readonly Mirror[]): Layout {
  const netblocks = mirrors.flatMap((mirror, number) =>
    mirror.netblocks.map((netblock) => [netblock, number] as const),
  );
  return {
    mirrors,
    netblocks: createNetblockTrie(netblocks),
    directions: mirrors.map(({ position }) => position && directionOf(position)),
    scores: scoresOf(mirrors),
    asns: new Map([...new Set(mirrors.flatMap(({ asn }) => asn ?? []))].map((asn, index) => [asn, index + 1])),
    standings: createLru<string, ReadonlyMap<number, Standing>>(REMEMBERED, ({ size }) => size * (mirrors.length + 20)),
  };
}

const DECLARED = [
  ...(["name", "url", "country", "bandwidth", "asn", "private", "disabled"] as const),
  ...(["state", "reason", "seed", "netblocks", "position", "countries", "families"] as const),
];

/** Have the mirrors been declared as those of the layout, down to the very objects? */
function fits({ mirrors: known }: Layout, mirrors: readonly Mirror[]): boolean {
  if (known.length !== mirrors.length) return false;
  return mirrors.every((mirror, number) => {
    const twin = known[number];
    return twin !== undefined && DECLARED.every((key) => mirror[key] === twin[key]);
  });
}
