import { digestOf } from "@nearlayer/shared/digest";
import { expect, test } from "vitest";
import { EMPTY_SNAPSHOT } from "../served/snapshot.ts";
import type { Variant } from "./variants.ts";
import { type Basis, createWritten } from "./written.ts";

const BASIS: Basis = { snapshot: EMPTY_SNAPSHOT, moment: {}, setbacks: 0 };
const bytes = Buffer.from("{}");
const VARIANT: Variant = {
  ...{ digest: digestOf(bytes), original: digestOf("original"), mediaType: "application/json", bytes },
  recipe: { version: 1, children: [] },
};

test("what was written is given again for a while", () => {
  const written = createWritten();
  expect(written.get(BASIS, "key", 0)).toBeUndefined();
  written.set(BASIS, "key", 0, VARIANT);
  expect(written.get({ ...BASIS }, "key", 59_999)).toBe(VARIANT);
  expect(written.get(BASIS, "other", 0)).toBeUndefined();
  expect(written.get(BASIS, "key", 60_000)).toBeUndefined();
});

test.each<[string, Partial<Basis>]>([
  ["snapshot", { snapshot: { ...EMPTY_SNAPSHOT, revision: 2 } }],
  ["moment of the mirrors", { moment: {} }],
  ["setback", { setbacks: 1 }],
])("another %s, and it is written anew", (_, change) => {
  const written = createWritten();
  written.get(BASIS, "key", 0);
  written.set(BASIS, "key", 0, VARIANT);
  const next = { ...BASIS, ...change };
  expect(written.get(next, "key", 0)).toBeUndefined();
  // Begun before the change, and over after it.
  written.set(BASIS, "key", 0, VARIANT);
  expect(written.get(next, "key", 0)).toBeUndefined();
  written.set(next, "key", 0, VARIANT);
  expect(written.get(next, "key", 0)).toBe(VARIANT);
});
