import { parsePlatform } from "@nearlayer/shared/platform";
import { expect, test } from "vitest";
import { propagationOf } from "./propagation.ts";

const NOW = Date.parse("2026-11-22T12:00:00Z");
const at = (minutesAgo: number) => new Date(NOW - minutesAgo * 60_000).toISOString();
const travel = (madeAgo: number, half: number | null, all: number | null, mirrors = 4) => ({
  ...{ platform: parsePlatform("linux-amd64"), generation: 1, madeAt: at(madeAgo), mirrors },
  halfAt: half === null ? null : at(madeAgo - half),
  ninetyAt: half === null ? null : at(madeAgo - half),
  allAt: all === null ? null : at(madeAgo - all),
});

test("the median, where what has not come through yet counts as longer", () => {
  const travels = [travel(100, 1, 10), travel(200, 3, null), travel(300, 2, null), travel(400, 9, 9, 0)];
  expect(propagationOf(travels, NOW)).toEqual({
    generations: 3,
    half: { seconds: 120, isOpen: false },
    ninety: { seconds: 120, isOpen: false },
    all: { seconds: 200 * 60, isOpen: true },
  });
});

test("nothing is known of nothing", () => {
  expect(propagationOf([], NOW)).toEqual({ generations: 0 });
});
