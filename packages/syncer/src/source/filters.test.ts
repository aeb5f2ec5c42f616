import { parseConfig } from "@nearlayer/shared/config/load";
import { expect, test } from "vitest";
import { createFilters } from "./filters.ts";

function filters(keys: Record<string, unknown>) {
  const { source } = parseConfig(JSON.stringify({ source: { url: "http://127.0.0.1:1", ...keys } }), "test");
  if (source === undefined) throw new Error("no source");
  return createFilters(source);
}

test.each([
  [{}, ["fedora/app", "a/b/c", "app"], []],
  [{ repositories: ["fedora/*"] }, ["fedora/app"], ["fedora/a/b", "debian/app", "fedora"]],
  [{ repositories: ["fedora/**"] }, ["fedora/app", "fedora/a/b"], ["debian/app"]],
  [{ repositories: ["fedora/app"] }, ["fedora/app"], ["fedora/app2", "fedora/ap"]],
  [{ repositories: ["{fedora,debian}/*"], exclude: ["*/test-*"] }, ["debian/app"], ["debian/test-app", "alpine/app"]],
  [{ exclude: ["**/private/**"] }, ["a/b"], ["a/private/b"]],
])("repositories: %j takes %j, leaves %j", (keys, taken, left) => {
  const { repository } = filters(keys);
  expect([...taken, ...left].filter(repository)).toEqual(taken);
});

test.each([
  [{}, ["latest", "1.0", ".hidden".slice(1)], []],
  [{ tags: ["4*"] }, ["40", "4.1-rc"], ["latest", "39"]],
  [{ tags: ["4*"], excludeTags: ["*-rc"] }, ["40"], ["4.1-rc", "39"]],
])("tags: %j takes %j, leaves %j", (keys, taken, left) => {
  expect([...taken, ...left].filter(filters(keys).tag)).toEqual(taken);
});

test("immutable tags are those that match, and none by default", () => {
  expect(filters({}).immutable("v1.0")).toBe(false);
  const { immutable } = filters({ immutableTags: ["v*.*", "sha-*"] });
  expect(["v1.0", "sha-abc", "latest", "v1"].filter(immutable)).toEqual(["v1.0", "sha-abc"]);
});

test("names in full are told from patterns, and excluded ones are not among them", () => {
  const { names, patterns } = filters({ repositories: ["b/app", "a/*", "c", "d/no"], exclude: ["d/**"] });
  expect(names).toEqual(["b/app", "c"]);
  expect(patterns).toEqual(["a/*"]);
});
