import { expect, test } from "vitest";
import { isRepository, isTag, parseReference } from "./reference.ts";

const digest = `sha256:${"a".repeat(64)}`;

test.each([
  ["fedora/app", { repository: "fedora/app" }],
  ["fedora/app:40", { repository: "fedora/app", tag: "40" }],
  ["a_b/c--d/e__f:latest", { repository: "a_b/c--d/e__f", tag: "latest" }],
  [`fedora@${digest}`, { repository: "fedora", digest }],
])("reads %s", (text, reference) => {
  expect(parseReference(text)).toEqual(reference);
});

test.each([
  "",
  "Fedora",
  "a//b",
  "/a",
  "a/",
  "../etc",
  "a/../b",
  "a:",
  "a:b c",
  "a@sha256:12",
  "a..b",
  "a\n",
  "%2e%2e",
])("%j is not a reference", (text) => expect(() => parseReference(text)).toThrow("not a"));

test("long input is refused without work", () => {
  expect(isRepository("a".repeat(256))).toBe(false);
  expect(isTag("a".repeat(129))).toBe(false);
  // Nested repetition would take this expression years.
  expect(isRepository(`${"a-".repeat(120)}!`)).toBe(false);
});
