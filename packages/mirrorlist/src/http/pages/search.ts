import { setImmediate as yieldToOthers } from "node:timers/promises";

/** How many names are looked at before others get their turn: about a millisecond. */
const SLICE = 10_000;

/**
 * The names that hold all words of the query, in their order: first the one that is called so, then those whose last
 * part is, then those that begin with it, then the others. Cost: a millisecond for ten thousand names.
 */
export async function searchNames<Name extends string>(names: readonly Name[], query: string): Promise<Name[]> {
  const text = query.trim().toLowerCase();
  const words = text.split(/\s+/).filter((word) => word !== "");
  if (words.length === 0) return [...names];
  const found: Name[][] = [[], [], [], []];
  for (let start = 0; start < names.length; start += SLICE) {
    for (const name of names.slice(start, start + SLICE)) {
      const lower = name.toLowerCase();
      if (words.every((word) => lower.includes(word))) found[nearness(lower, text)]?.push(name);
    }
    if (start + SLICE < names.length) await yieldToOthers();
  }
  return found.flat();
}

function nearness(name: string, text: string): number {
  if (name === text) return 0;
  const last = name.slice(name.lastIndexOf("/") + 1);
  if (last === text) return 1;
  return name.startsWith(text) || last.startsWith(text) ? 2 : 3;
}
