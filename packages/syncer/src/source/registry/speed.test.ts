import { expect, test } from "vitest";
import { createSpeedGuard, SPEED_WINDOW_MS } from "./speed.ts";

test.each([
  ["a byte every ten seconds", 1, 10_000, true],
  ["just enough", 1000, 1000, false],
  ["a little less", 999, 1000, true],
])("%s: too slow is %s", (_, bytes, waited, expected) => {
  const isTooSlow = createSpeedGuard(1000);
  const verdicts = Array.from({ length: SPEED_WINDOW_MS / waited }, () => isTooSlow(bytes, waited));
  expect(verdicts.pop()).toBe(expected);
  expect(verdicts).not.toContain(true);
});

test("each window counts for itself, and none when it is switched off", () => {
  const isTooSlow = createSpeedGuard(1000);
  expect(isTooSlow(60_000, SPEED_WINDOW_MS)).toBe(false);
  expect(isTooSlow(59_999, SPEED_WINDOW_MS)).toBe(true);
  expect(createSpeedGuard(0)(1, SPEED_WINDOW_MS)).toBe(false);
});
