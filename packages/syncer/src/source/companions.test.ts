import { parseTag } from "@nearlayer/shared/reference";
import { expect, test } from "vitest";
import { subjectOf } from "./companions.ts";

const hex = "ab".repeat(32);

test.each([
  [`sha256-${hex}`, `sha256:${hex}`],
  [`sha256-${hex}.sig`, `sha256:${hex}`],
  [`sha256-${hex}.att`, `sha256:${hex}`],
  [`sha256-${hex}.sbom`, `sha256:${hex}`],
  [`sha256-${hex}.other`, undefined],
  [`sha256-${hex.slice(1)}`, undefined],
  [`x-sha256-${hex}`, undefined],
  [`sha512-${hex}`, undefined],
  ["latest", undefined],
])("%s belongs to %s", (tag, subject) => {
  expect(subjectOf(parseTag(tag))).toBe(subject);
});
