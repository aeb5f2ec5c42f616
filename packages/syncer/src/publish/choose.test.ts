import { sha256Hex } from "@nearlayer/shared/generation";
import { type Platform, parsePlatform } from "@nearlayer/shared/platform";
import { describe, expect, test } from "vitest";
import { choosePass, type Shown, type TargetFacts } from "./choose.ts";

const amd64 = parsePlatform("linux-amd64");
const arm64 = parsePlatform("linux-arm64");
const now = new Date("2026-11-22T12:00:00Z");
const generation = (platform: Platform, number: number) => ({
  ...{ platform, number, time: "2026-11-22T00:00:00Z", files: 1, bytes: 1 },
  listSha256: sha256Hex("list"),
});
const given = (platform: Platform, number: number, fullAt = "2026-11-22T11:00:00Z") => ({ platform, number, fullAt });
const shows = (number: number, isCurrent = true, isOurs = true): Shown => ({ number, isOurs, isCurrent });
const facts = (changed: Partial<TargetFacts>): TargetFacts => ({
  newest: [generation(amd64, 5)],
  published: [given(amd64, 5)],
  shown: new Map([[amd64, shows(5)]]),
  isForced: false,
  fullEvery: 86_400_000,
  now,
  ...changed,
});

describe("a target", () => {
  test("that has all of it gets nothing", () => {
    expect(choosePass(facts({}))).toEqual({ kind: "nothing" });
    expect(choosePass(facts({ shown: undefined }))).toEqual({ kind: "nothing" });
  });

  test("that is behind gets what has changed since", () => {
    const behind = facts({ published: [given(amd64, 3)], shown: new Map([[amd64, shows(3, false)]]) });
    expect(choosePass(behind)).toEqual({ kind: "changes", since: new Map([[amd64, 3]]) });
  });

  test("that got the state of a run which was killed gets what has changed since the one before", () => {
    expect(choosePass(facts({ published: [given(amd64, 3)] }))).toMatchObject({ since: new Map([[amd64, 3]]) });
  });

  test("gets a new platform whole, and a new signature", () => {
    const newest = [generation(amd64, 5), generation(arm64, 1)];
    const since = new Map([
      [amd64, 5],
      [arm64, 0],
    ]);
    expect(choosePass(facts({ newest }))).toEqual({ kind: "changes", since });
    expect(choosePass(facts({ shown: new Map([[amd64, shows(5, false)]]) }))).toMatchObject({ kind: "changes" });
  });

  test.each([
    ["nothing is remembered of it", { published: [] }],
    ["it was asked for", { isForced: true }],
    ["it was emptied", { shown: new Map() }],
    ["it was set back", { shown: new Map([[amd64, shows(4, false)]]) }],
    ["it is far behind", { newest: [generation(amd64, 200)] }],
    ["the last comparison is long ago", { published: [given(amd64, 5, "2026-11-20T00:00:00Z")] }],
  ])("is compared whole when %s", (_, changed) => {
    expect(choosePass(facts(changed))).toMatchObject({ kind: "full" });
  });

  test("that shows what was not made here is left alone, until all of it is asked for", () => {
    const shown = new Map([[amd64, shows(9, false, false)]]);
    expect(choosePass(facts({ shown }))).toMatchObject({ kind: "refused" });
    expect(choosePass(facts({ shown, published: [] }))).toMatchObject({ kind: "refused" });
    expect(choosePass(facts({ shown, isForced: true }))).toMatchObject({ kind: "full" });
  });
});
