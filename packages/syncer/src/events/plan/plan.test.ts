import type { EventGroup } from "@nearlayer/shared/catalog/events";
import { digestOf } from "@nearlayer/shared/digest";
import { parseReference } from "@nearlayer/shared/reference";
import { describe, expect, test } from "vitest";
import type { Failure } from "../../commands/failure.ts";
import { waitAfter } from "./backoff.ts";
import { failuresOfEarly, outcomesOf, referencesOf } from "./batch.ts";
import { type Arrivals, holdFor, noteArrivals } from "./hold.ts";

const group = (name: string, rest: Partial<EventGroup> = {}): EventGroup => {
  const { repository, tag } = parseReference(name);
  const reference = tag === undefined ? { repository } : { repository, tag };
  return { ...reference, throughId: 1, events: 1, attempts: 0, optional: false, oldest: "", ...rest };
};

test.each([
  [
    ["a:1", "a:2", "b"],
    ["a:1", "a:2", "b"],
  ],
  [
    ["a:1", "b:1", "a"],
    ["b:1", "a"],
  ],
  [[], []],
])("%j is synced as %j", (groups, references) => {
  const names = referencesOf(groups.map((name) => group(name))).map(({ repository, tag }) =>
    tag === undefined ? repository : `${repository}:${tag}`,
  );
  expect(names).toEqual(references);
});

describe("what becomes of an event", () => {
  const policy = { first: 1000, longest: 60_000, attempts: 3 };
  const now = new Date(0);
  const outcome = (one: EventGroup, ...failures: Failure[]) =>
    outcomesOf([one], failures, policy, now, () => 0).get(one);
  const failure = (name: string, code: Failure["code"] = "SOURCE_REFUSED"): Failure => {
    const { repository, tag } = parseReference(name);
    return { repository, ...(tag === undefined ? {} : { tag }), code, message: "no" };
  };
  const again = (ms: number) => ({ state: "waiting", reason: "no", notBefore: new Date(ms) });
  test.each([
    ["all went well", group("a:1"), [], { state: "done" }],
    ["another repository failed", group("a:1"), [failure("b:1")], { state: "done" }],
    ["another tag failed", group("a:1"), [failure("a:2")], { state: "done" }],
    ["its tag failed", group("a:1"), [failure("a:1")], again(1000)],
    ["its repository failed", group("a:1"), [failure("a")], again(1000)],
    ["its signature failed", group("a:1"), [failure(`a:sha256-${"0".repeat(64)}.sig`)], again(1000)],
    ["a tag of its repository failed", group("a"), [failure("a:2")], again(1000)],
    ["it failed again", group("a:1", { attempts: 1 }), [failure("a:1")], again(2000)],
    ["it failed too often", group("a:1", { attempts: 2 }), [failure("a:1")], { state: "parked", reason: "no" }],
    ["it is left out", group("a:1"), [failure("a:1", "USAGE")], { state: "done", reason: "no" }],
    ["it is not there yet", group("a:1"), [failure("a:1", "NOT_FOUND")], again(250)],
    [
      "it is not there yet, and need not be",
      group("a:1", { optional: true }),
      [failure("a:1", "NOT_FOUND")],
      again(250),
    ],
    [
      "it is not there and need not be",
      group("a:1", { optional: true, attempts: 5 }),
      [failure("a:1", "NOT_FOUND")],
      { state: "done", reason: "no" },
    ],
  ])("when %s", (_, one, failures, expected) => {
    expect(outcome(one, ...failures)).toEqual(expected);
  });
});

test("a tag that is not what the event says is looked at again", () => {
  const digest = digestOf("new");
  const groups = [group("a:1", { digest }), group("a:2"), group("a")];
  expect(failuresOfEarly(groups, () => digest)).toEqual([]);
  expect(failuresOfEarly(groups, () => digestOf("old"))).toMatchObject([
    { repository: "a", tag: "1", code: "NOT_FOUND" },
  ]);
  expect(failuresOfEarly(groups, () => undefined)).toHaveLength(1);
});

test.each([
  [1, 0, 1000],
  [2, 0, 2000],
  [3, 1, 3200],
  [5, 0, 10_000],
  [500, 0.5, 9000],
])("after failure %i, with %d by lot, %i ms", (attempt, random, ms) => {
  expect(waitAfter(attempt, { first: 1000, longest: 10_000 }, random)).toBe(ms);
});

describe("a sync is held back while events pour in", () => {
  const none: Arrivals = { times: [] };
  const burst = noteArrivals(none, 100, 1000);
  test.each([
    ["nothing has come", none, 0, 0],
    ["one has come", noteArrivals(none, 1, 1000), 1000, 0],
    ["a few have come", noteArrivals(noteArrivals(none, 5, 900), 5, 1000), 1000, 0],
    ["many have come at once", burst, 1000, 250],
    ["some time later", burst, 1200, 50],
    ["it is quiet", burst, 1300, 0],
    ["they come one by one", noteArrivals(noteArrivals(none, 19, 0), 1, 5000), 5000, 0],
  ])("when %s", (_, arrivals, now, expected) => {
    expect(holdFor(arrivals, 1000, now)).toBe(expected);
  });

  test("but not for ever", () => {
    expect(holdFor(noteArrivals(none, 100, 11_000), 1000, 11_000)).toBe(0);
    expect(holdFor(noteArrivals(none, 100, 10_900), 1000, 10_900)).toBe(100);
  });
});
