import { expect, test } from "vitest";
import { countryName, formatBytes, formatDuration, formatShare, moment, plural } from "./format.ts";

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1000, "1.00 kB"],
  [1_052_308, "1.05 MB"],
  [999_999, "1.00 MB"],
  [31_400_000_000, "31.4 GB"],
  [2 ** 40, "1.10 TB"],
])("%d bytes are %s", (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test.each([
  [0, "0 s"],
  [59.6, "1 min"],
  [3599, "1 h"],
  [7800, "2 h 10 min"],
  [3 * 86_400 + 7200, "3 d 2 h"],
  [400 * 86_400, "400 d"],
])("%d seconds are %s", (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text);
});

test.each([
  [0, "0 %"],
  [0.0001, "< 0.1 %"],
  [0.0312, "3.1 %"],
  [0.27, "27 %"],
  [0.9999, "99.9 %"],
  [1, "100 %"],
])("a share of %d is %s", (share, text) => {
  expect(formatShare(share)).toBe(text);
});

test("moments are told by how long ago they were, and exactly", () => {
  const now = Date.parse("2026-11-22T12:00:00Z");
  expect(moment("2026-11-22T11:00:00Z", now).text).toBe(
    '<time datetime="2026-11-22T11:00:00.000Z" title="2026-11-22 11:00 UTC">1 h ago</time>',
  );
  expect(moment("<b>", now).text).toBe("&lt;b&gt;");
  expect(moment(undefined, now).text).toBe("–");
});

test("words", () => {
  expect([plural(1, "mirror"), plural(2000, "mirror"), plural(0, "repository", "repositories")]).toEqual([
    ...["1 mirror", "2,000 mirrors", "0 repositories"],
  ]);
  expect([countryName("JP"), countryName("ZZ"), countryName("<b>")]).toEqual(["Japan", "Unknown Region", "<b>"]);
});
