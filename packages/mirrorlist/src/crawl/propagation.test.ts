import { expect, test } from "vitest";
import { AMD64, seenMirror } from "../testing/mirrors.ts";
import { measurePropagation } from "./propagation.ts";

const AT = "2026-11-24T12:00:00.000Z";
const measure = (generations: readonly number[], more: Parameters<typeof measurePropagation>[0] = []) => {
  const mirrors = generations.map((generation, index) => seenMirror(`m${index}`, {}, { [AMD64]: generation }));
  const {
    mirrors: count,
    halfAt,
    ninetyAt,
    allAt,
  } = measurePropagation([...mirrors, ...more], { platform: AMD64, generation: 7, madeAt: AT }, AT);
  return [count, halfAt !== null, ninetyAt !== null, allAt !== null];
};

test("how many have a generation is told by what counts there", () => {
  expect(measure([])).toEqual([0, false, false, false]);
  expect(measure([6, 6, 7])).toEqual([3, false, false, false]);
  expect(measure([6, 7])).toEqual([2, true, false, false]);
  expect(measure([...Array(9).fill(8), 6])).toEqual([10, true, true, false]);
  expect(measure([7, 8])).toEqual([2, true, true, true]);
});

test("only mirrors that are in use and carry the platform are waited for", () => {
  const out = [
    { ...seenMirror("quarantined", {}, { [AMD64]: 1 }), state: "quarantined" as const },
    { ...seenMirror("gone", {}, { [AMD64]: 1 }), state: "unreachable" as const },
    seenMirror("disabled", { disabled: true }, { [AMD64]: 1 }),
    seenMirror("other", { platforms: ["linux-arm64"] }, {}),
    seenMirror("never", {}, {}),
  ];
  expect(measure([7], out)).toEqual([1, true, true, true]);
  // One that says that it carries it is waited for, though it has shown nothing yet.
  expect(measure([7], [seenMirror("late", { platforms: [AMD64] }, {})])).toEqual([2, true, false, false]);
});
