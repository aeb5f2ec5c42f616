import { expect, test } from "vitest";
import { firstTurnIn, nextTurnIn } from "./schedule.ts";

const MINUTE = 60_000;
const next = (state: "active" | "unreachable" | "pending", isFailing: boolean, gone = 0) =>
  nextTurnIn(MINUTE, { state, since: 0, isFailing }, gone) / MINUTE;

test("a first failure is looked at again soon, so that two are there within two intervals", () => {
  expect(next("active", false)).toBe(1);
  expect(1 + next("active", true)).toBeLessThan(2);
});

test("who is gone is asked the less often the longer, after a quarter of the time and every fifth interval at least", () => {
  const minutes = [0, 1, 4, 8, 12, 20, 1000];
  expect(minutes.map((gone) => next("unreachable", true, gone * MINUTE))).toEqual([1, 1, 1, 2, 3, 5, 5]);
  expect(next("pending", true, 1000 * MINUTE)).toBe(5);
});

test("the first turns are spread over an interval", () => {
  const turns = Array.from({ length: 100 }, (_, index) => firstTurnIn(MINUTE, (index / 100) * 2 ** 32));
  expect(Math.min(...turns)).toBeGreaterThan(0);
  expect(Math.max(...turns)).toBeLessThanOrEqual(MINUTE);
  expect(new Set(turns.map((turn) => Math.floor(turn / 6000))).size).toBeGreaterThanOrEqual(9);
});
