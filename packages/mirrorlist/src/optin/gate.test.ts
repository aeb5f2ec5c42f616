import { expect, test } from "vitest";
import { createGate } from "./gate.ts";

test("a network has an hour's worth at once, and then as fast as the hour goes by", () => {
  let now = 0;
  const gate = createGate(() => now);
  expect(Array.from({ length: 4 }, () => gate.admit("a", 3))).toEqual([undefined, undefined, undefined, 1200]);
  expect(gate.admit("b", 3)).toBeUndefined();
  now = 1_199_000;
  expect(gate.admit("a", 3)).toBe(1);
  now = 1_200_000;
  expect(gate.admit("a", 3)).toBeUndefined();
  expect(gate.admit("a", 3)).toBe(1200);
  now = 100 * 3_600_000;
  expect(Array.from({ length: 4 }, () => gate.admit("a", 3))).toEqual([undefined, undefined, undefined, 1200]);
});

test("a clock that goes back keeps nobody out for longer than the hour", () => {
  let now = 10_000_000;
  const gate = createGate(() => now);
  gate.admit("a", 2);
  now = 0;
  expect([gate.admit("a", 2), gate.admit("a", 2)]).toEqual([1800, 1800]);
  now = 1_800_000;
  expect(gate.admit("a", 2)).toBeUndefined();
});

test("check-ins of one mirror within a second are one", () => {
  let now = 0;
  const gate = createGate(() => now);
  expect([gate.isNews("m"), gate.isNews("m"), gate.isNews("n")]).toEqual([true, false, true]);
  now = 1000;
  expect(gate.isNews("m")).toBe(true);
});
