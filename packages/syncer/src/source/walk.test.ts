import { parseReference, parseRepository } from "@nearlayer/shared/reference";
import { expect, test } from "vitest";
import { partsOf, type Scope } from "./walk.ts";

const names = Array.from({ length: 5 }, (_, index) => `fedora/a${index}`);
const scope: Scope = {
  wanted: names.map((name) => parseReference(name)),
  catalog: { repositories: names.map(parseRepository), complete: true },
  failed: [{ repository: "*", error: new Error("not listed") }],
};

test("the parts of a scope are all of it, each once", () => {
  const parts = partsOf(scope, 2);
  expect(parts.map(({ wanted }) => wanted.length)).toEqual([2, 2, 1]);
  expect(parts.flatMap(({ wanted }) => wanted)).toEqual(scope.wanted);
  expect(parts.flatMap(({ failed }) => failed)).toEqual(scope.failed);
});

test("that a repository is gone counts with the last part alone", () => {
  expect(partsOf(scope, 2).map(({ catalog }) => catalog.complete)).toEqual([false, false, true]);
  expect(partsOf({ ...scope, catalog: { repositories: [], complete: false } }, 2).at(-1)?.catalog.complete).toBe(false);
});

test("a source with nothing that is wanted is still one part: what is gone from it counts", () => {
  expect(partsOf({ ...scope, wanted: [] }, 2)).toEqual([{ ...scope, wanted: [] }]);
});
