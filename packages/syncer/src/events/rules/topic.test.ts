import { expect, test } from "vitest";
import { matchesTopic, prefixOfTopics } from "./topic.ts";

test.each([
  ["a.b", "a.b", true],
  ["a.b", "a.bc", false],
  ["a.b", "a.b.c", false],
  ["a.*", "a.b", true],
  ["a.*", "a", false],
  ["a.*", "a.b.c", false],
  ["*.b", "a.b", true],
  ["#", "a.b.c", true],
  ["#", "", true],
  ["a.#", "a", true],
  ["a.#", "a.b.c", true],
  ["a.#", "ab", false],
  ["#.b", "b", true],
  ["#.b", "a.a.b", true],
  ["#.b", "a.b.c", false],
  ["a.#.c", "a.c", true],
  ["a.#.c", "a.b.b.c", true],
  ["#.*.b", "b", false],
  ["#.*.b", "a.b", true],
  ["*.#.*", "a", false],
  ["*.#.*", "a.b", true],
])("%s, asked for %s: %s", (pattern, topic, expected) => {
  expect(matchesTopic(pattern, topic)).toBe(expected);
});

test("a hostile topic costs no time", () => {
  const topic = Array.from({ length: 120 }, () => "a").join(".");
  expect(matchesTopic(Array.from({ length: 60 }, () => "#.a").join("."), topic)).toBe(true);
  expect(matchesTopic(`${Array.from({ length: 60 }, () => "#.a").join(".")}.b`, topic)).toBe(false);
});

test.each([
  ["a.b", "a.b"],
  ["a.*.b", "a."],
  ["a.#", "a"],
  ["#.b", ""],
  ["*.b", ""],
])("topics of %s begin with %j", (pattern, prefix) => {
  expect(prefixOfTopics(pattern)).toBe(prefix);
});
