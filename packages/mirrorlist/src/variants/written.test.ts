import { digestOf } from "@nearlayer/shared/digest";
import { expect, test } from "vitest";
import { pack } from "../served/packed.ts";
import { EMPTY_SNAPSHOT } from "../served/snapshot.ts";
import type { Variant } from "./variants.ts";
import { type Basis, createWritten, type WrittenKey } from "./written.ts";

const BASIS: Basis = { snapshot: EMPTY_SNAPSHOT, moment: {}, setbacks: 0 };
const bytes = Buffer.from("{}");
const VARIANT: Variant = {
  ...{ digest: digestOf(bytes), original: digestOf("original"), mediaType: "application/json", bytes },
  recipe: { version: 1, children: [] },
};

const keyOf = (tag: string): WrittenKey => ({
  served: { digest: digestOf(tag), mediaType: "application/json", ...pack(bytes) },
  own: "https://registry.example.org/app",
  kin: 7,
});
const KEY = keyOf("40");

test("what was written is given again for a while", () => {
  const written = createWritten();
  expect(written.get(BASIS, KEY, 0)).toBeUndefined();
  written.set(BASIS, KEY, 0, VARIANT);
  expect(written.get({ ...BASIS }, KEY, 59_999)).toBe(VARIANT);
  const others = [keyOf("41"), { ...KEY, own: "https://other.example.org/app" }, { ...KEY, kin: 8 }];
  for (const other of others) expect(written.get(BASIS, other, 0)).toBeUndefined();
  expect(written.get(BASIS, KEY, 60_000)).toBeUndefined();
});

test.each<[string, Partial<Basis>]>([
  ["snapshot", { snapshot: { ...EMPTY_SNAPSHOT, revision: 2 } }],
  ["moment of the mirrors", { moment: {} }],
  ["setback", { setbacks: 1 }],
])("another %s, and it is written anew", (_, change) => {
  const written = createWritten();
  written.get(BASIS, KEY, 0);
  written.set(BASIS, KEY, 0, VARIANT);
  const next = { ...BASIS, ...change };
  expect(written.get(next, KEY, 0)).toBeUndefined();
  // Begun before the change, and over after it.
  written.set(BASIS, KEY, 0, VARIANT);
  expect(written.get(next, KEY, 0)).toBeUndefined();
  written.set(next, KEY, 0, VARIANT);
  expect(written.get(next, KEY, 0)).toBe(VARIANT);
});
