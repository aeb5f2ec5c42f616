import { expect, test } from "vitest";
import { createSpeedGuard, SPEED_WINDOW_MS } from "./speed.ts";

test.each([
  ["a byte every ten seconds", 1, 10_000, true],
  ["just enough", 1000, 1000, false],
  ["a little less", 999, 1000, true],
])("%s: too slow is %s", (_, bytes, every, expected) => {
  const isTooSlow = createSpeedGuard(1000, 0);
  const verdicts: boolean[] = [];
  for (let now = every; now <= SPEED_WINDOW_MS; now += every) verdicts.push(isTooSlow(bytes, now));
  expect(verdicts.pop()).toBe(expected);
  expect(verdicts).not.toContain(true);
});

test("each window counts for itself, and none when it is switched off", () => {
  const isTooSlow = createSpeedGuard(1000, 0);
  expect(isTooSlow(60_000, SPEED_WINDOW_MS)).toBe(false);
  expect(isTooSlow(59_999, 2 * SPEED_WINDOW_MS)).toBe(true);
  expect(createSpeedGuard(0, 0)(1, 10 * SPEED_WINDOW_MS)).toBe(false);
});
