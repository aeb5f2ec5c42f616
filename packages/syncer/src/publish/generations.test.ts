import { expect, test } from "vitest";
import { timeAfter } from "./generations.ts";

const now = new Date("2026-11-24T12:00:00.900Z");

test.each([
  [undefined, "2026-11-24T12:00:00Z"],
  ["2026-11-24T11:59:59Z", "2026-11-24T12:00:00Z"],
  ["2026-11-24T12:00:00Z", "2026-11-24T12:00:01Z"],
  // The clock went back.
  ["2026-11-24T13:00:00Z", "2026-11-24T13:00:01Z"],
])("after %s it is %s", (previous, expected) => {
  expect(timeAfter(previous === undefined ? undefined : { time: previous }, now)).toBe(expected);
});
