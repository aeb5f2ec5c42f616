import { digestOf, type Hex, hexOf } from "@nearlayer/shared/digest";
import { expect, test } from "vitest";
import { type ListChange, mergeList } from "./merge.ts";

const hex = (name: string | number) => hexOf(digestOf(String(name)));
const textOf = (entries: ReadonlyMap<Hex, number>) =>
  [...entries]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, size]) => `${name} ${size}\n`)
    .join("");

async function* chunks(text: string, length: number): AsyncGenerator<Buffer> {
  for (let start = 0; start < text.length; start += length) yield Buffer.from(text.slice(start, start + length));
}

async function merge(text: string, changes: readonly ListChange[], chunk: number) {
  const balance = { files: 0, bytes: 0 };
  const parts: Buffer[] = [];
  for await (const part of mergeList(chunks(text, chunk), changes, balance)) parts.push(part);
  return { text: Buffer.concat(parts).toString(), balance };
}

/** The same on a map: the twin that is too simple to be wrong. */
function mergeSlowly(entries: ReadonlyMap<Hex, number>, changes: readonly ListChange[]) {
  const merged = new Map(entries);
  for (const change of changes) {
    if (change.size === undefined) merged.delete(change.hex);
    else merged.set(change.hex, change.size);
  }
  const sum = (map: ReadonlyMap<Hex, number>) => [...map.values()].reduce((total, size) => total + size, 0);
  return {
    text: textOf(merged),
    balance: { files: merged.size - entries.size, bytes: sum(merged) - sum(entries) },
  };
}

test.each([1, 7, 66, 67, 200, 100_000])("a merge in pieces of %d bytes is the same as one in memory", async (chunk) => {
  for (let round = 0; round < 20; round += 1) {
    const entries = new Map(Array.from({ length: round * 5 }, (_, n) => [hex(n), (n * 7919) % 100_003] as const));
    const changes = Array.from({ length: 1 + round * 2 }, (_, n): ListChange => {
      // Some are there, some are not; some come, some go, some come again.
      const name = (n * 37 + round) % (round * 10 + 3);
      return { hex: hex(name), size: n % 3 === 0 ? undefined : n };
    });
    const distinct = [...new Map(changes.map((change) => [change.hex, change])).values()];
    distinct.sort((a, b) => (a.hex < b.hex ? -1 : 1));
    expect(await merge(textOf(entries), distinct, chunk)).toEqual(mergeSlowly(entries, distinct));
  }
});

test("all of a list can go, and all of it can come", async () => {
  const entries = new Map([1, 2, 3].map((n) => [hex(n), n] as const));
  const names = [...entries.keys()].sort();
  const gone = names.map((name) => ({ hex: name, size: undefined }));
  expect(await merge(textOf(entries), gone, 50)).toEqual({ text: "", balance: { files: -3, bytes: -6 } });
  const come = names.map((name) => ({ hex: name, size: entries.get(name) }));
  expect(await merge("", come, 50)).toEqual({ text: textOf(entries), balance: { files: 3, bytes: 6 } });
});
