import { expect, test } from "vitest";
import { digestOf, hexOf, isDigest, parseDigest } from "./digest.ts";

test("a digest is sha256 and 64 lower-case hex digits", () => {
  const digest = digestOf("hello");
  expect(digest).toBe("sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
  expect(parseDigest(digest)).toBe(digest);
  expect(hexOf(digest)).toHaveLength(64);
});

test.each([
  "",
  "sha256:",
  `sha256:${"a".repeat(63)}`,
  `sha256:${"A".repeat(64)}`,
  `sha512:${"a".repeat(64)}`,
  `sha256:../${"a".repeat(61)}`,
  `sha256:${"a".repeat(64)}\n`,
])("%j is not a digest", (text) => {
  expect(isDigest(text)).toBe(false);
  expect(() => parseDigest(text)).toThrow("not a sha256 digest");
});
