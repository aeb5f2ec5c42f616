import type { KnownTag } from "@nearlayer/shared/catalog/removal";
import { type Digest, digestOf } from "@nearlayer/shared/digest";
import { parseRepository, parseTag, type Repository } from "@nearlayer/shared/reference";
import { describe, expect, test } from "vitest";
import { createArchive } from "./archive.ts";
import { planManifests } from "./manifests.ts";
import { planTags } from "./tags.ts";

const app = parseRepository("fedora/app");
const other = parseRepository("fedora/other");
const tag = (name: string, missing = 0, repository: Repository = app): KnownTag => ({
  ...{ repository, name: parseTag(name), missing },
  digest: digestOf(name),
});
const names = (tags: readonly KnownTag[]) => tags.map(({ repository, name }) => `${repository}:${name}`);
const listing = (...tags: string[]) => new Map([[app, tags.map(parseTag)]]);
const none = createArchive([]);

describe("a tag that the source no longer lists", () => {
  const listings = { repositories: [app], tags: listing("41") };

  test("is counted the first time and removed the second", () => {
    const first = planTags([tag("40"), tag("41")], listings, none);
    expect([names(first.counted), first.counted[0]?.missing, names(first.removed)]).toEqual([["fedora/app:40"], 1, []]);
    const second = planTags([tag("40", 1), tag("41")], listings, none);
    expect([names(second.counted), names(second.removed)]).toEqual([[], ["fedora/app:40"]]);
  });

  test("begins anew when it is there in between", () => {
    const { counted } = planTags([tag("41", 1)], listings, none);
    expect(counted).toMatchObject([{ name: "41", missing: 0 }]);
  });

  test.each([
    ["the tag listing failed", { repositories: [app], tags: new Map() }],
    ["the tag listing is empty", { repositories: [app], tags: listing() }],
    ["there is no listing of repositories", { repositories: undefined, tags: new Map() }],
    ["the listing of repositories is empty", { repositories: [], tags: new Map() }],
  ])("stays when %s", (_, given) => {
    expect(planTags([tag("40", 1)], given, none)).toEqual({ counted: [], removed: [], archived: [] });
  });

  test("goes with its repository", () => {
    const { removed, counted } = planTags([tag("1", 1, other), tag("2", 0, other)], listings, none);
    expect([names(removed), names(counted)]).toEqual([["fedora/other:1"], ["fedora/other:2"]]);
  });

  test("stays for good when it is archived", () => {
    for (const pattern of ["fedora/app", "fedora/**", "fedora/app:4*", "**:40"]) {
      const { removed, archived } = planTags([tag("40", 1)], listings, createArchive([pattern]));
      expect([pattern, names(removed), names(archived)]).toEqual([pattern, [], ["fedora/app:40"]]);
    }
    expect(names(planTags([tag("40", 1)], listings, createArchive(["fedora/app:3*"])).removed)).toHaveLength(1);
  });
});

test("only a pattern without a tag keeps every manifest of a repository", () => {
  expect(createArchive(["fedora/*"]).keepsRepository(app)).toBe(true);
  expect(createArchive(["fedora/*:*"]).keepsRepository(app)).toBe(false);
});

describe("which manifests are needed", () => {
  const d = (name: string) => digestOf(name);
  const graph = (
    marked: Record<string, boolean>,
    roots: readonly string[],
    needs: Record<string, readonly string[]>,
  ) => ({
    marked: new Map(Object.entries(marked).map(([name, mark]) => [d(name), mark])),
    roots: new Set(roots.map(d)),
    needs: new Map(Object.entries(needs).map(([from, to]) => [d(from), to.map(d)])),
  });
  const plan = (...given: Parameters<typeof graph>) => {
    const { unneeded, needed } = planManifests(graph(...given));
    const all = new Map<Digest, string>(Object.keys(given[0]).map((name) => [d(name), name]));
    return { unneeded: unneeded.map((digest) => all.get(digest)), needed: needed.map((digest) => all.get(digest)) };
  };

  test("an index keeps its children, and a manifest its signature", () => {
    const marked = { index: false, child: false, signature: false, old: false };
    const needs = { index: ["child", "elsewhere"], child: ["signature"] };
    expect(plan(marked, ["index"], needs)).toEqual({ unneeded: ["old"], needed: [] });
  });

  test("what nothing leads to goes with all below it, but for what something else needs", () => {
    const marked = { a: false, b: false, shared: false, own: false };
    const needs = { a: ["shared", "own"], b: ["shared"] };
    expect(plan(marked, ["b"], needs)).toEqual({ unneeded: ["a", "own"], needed: [] });
  });

  test("what is led to again is needed again", () => {
    expect(plan({ index: true, child: true }, ["index"], { index: ["child"] })).toEqual({
      unneeded: [],
      needed: ["index", "child"],
    });
  });

  test("manifests that only need each other are not needed", () => {
    expect(plan({ a: false, b: false }, [], { a: ["b"], b: ["a"] })).toEqual({ unneeded: ["a", "b"], needed: [] });
  });
});
