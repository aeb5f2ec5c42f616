/** How many rows or names stand in one statement; SQLite takes 32,766 parameters, PostgreSQL 65,535. */
const CHUNK = 500;

/** Cuts rows into those of one statement each: with a statement for every row, PostgreSQL would mostly wait for the network. */
export function* chunksOf<T>(items: readonly T[], size = CHUNK): Generator<T[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}
