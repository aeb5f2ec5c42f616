import { expect, test } from "vitest";
import { MAX_PAUSE_MS, parseRetryAfter } from "./retry-after.ts";

const now = new Date("2026-11-22T12:00:00Z");

test.each([
  [undefined, undefined],
  ["0", 0],
  ["3", 3000],
  [" 10 ", 10_000],
  ["86400", MAX_PAUSE_MS],
  ["Sun, 22 Nov 2026 12:00:05 GMT", 5000],
  ["Sun, 22 Nov 2026 11:00:00 GMT", 0],
  ["Mon, 23 Nov 2026 12:00:00 GMT", MAX_PAUSE_MS],
  ["soon", undefined],
  ["-1", undefined],
])("Retry-After: %j is %j ms", (header, expected) => {
  expect(parseRetryAfter(header, now)).toBe(expected);
});
