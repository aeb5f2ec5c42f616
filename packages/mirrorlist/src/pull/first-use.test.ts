import { digestOf } from "@nearlayer/shared/digest";
import { expect, test } from "vitest";
import type { Candidate } from "../selection/select.ts";
import { AMD64, seenMirror } from "../testing/mirrors.ts";
import { createFirstUse } from "./first-use.ts";
import type { Verdict } from "./verdict.ts";

const [ONE, TWO] = [digestOf("one"), digestOf("two")];
const GOOD: Verdict = { ok: true, hasRanges: true };
const BAD: Verdict = { ok: false, reason: "answers 404 for the blob" };
const REFUSED: Verdict = { ok: false, reason: "refuses connections" };
const [SECOND, MINUTE] = [1000, 60_000];

function setUp() {
  const candidate: Candidate = { mirror: seenMirror("jp"), platform: AMD64, rank: { kind: "country" }, score: 1 };
  const mirror = {
    clock: 1_000_000,
    looks: 0,
    answer: GOOD as Verdict | "refused",
    check: (digest = ONE) => firstUse.check(candidate, digest, 3),
    remembered: (digest = ONE) => firstUse.remembered(candidate, digest, 3),
    doubt: (digest = ONE) => firstUse.doubt(candidate, digest, 3),
    setbacks: () => firstUse.setbacks(),
    /** Until looks beside the traffic have come to their end. */
    settle: () => new Promise((resolve) => setTimeout(resolve)),
  };
  const firstUse = createFirstUse(
    async () => {
      mirror.looks += 1;
      if (mirror.answer === "refused") throw Object.assign(new Error("connect"), { code: "ECONNREFUSED" });
      return mirror.answer;
    },
    () => mirror.clock,
  );
  return mirror;
}

test("one look at a time, remembered for minutes when good and for one when bad", async () => {
  const mirror = setUp();
  expect(mirror.remembered()).toBeUndefined();
  expect(await Promise.all([mirror.check(), mirror.check()])).toEqual([GOOD, GOOD]);
  expect([mirror.looks, mirror.remembered()]).toEqual([1, GOOD]);
  mirror.answer = BAD;
  expect(await mirror.check(TWO)).toEqual(BAD);
  mirror.answer = GOOD;
  mirror.clock += MINUTE - 1;
  expect(mirror.remembered(TWO)).toEqual(BAD);
  mirror.clock += 1;
  expect(mirror.remembered(TWO)).toBeUndefined();
  mirror.clock += 5 * MINUTE;
  expect(mirror.remembered()).toBeUndefined();
});

test("a mirror that cannot be reached is left alone with all its blobs, then tried beside the traffic", async () => {
  const mirror = setUp();
  mirror.answer = "refused";
  expect(await mirror.check()).toEqual(REFUSED);
  expect([await mirror.check(TWO), mirror.looks]).toEqual([REFUSED, 1]);
  mirror.clock += 10 * SECOND;
  mirror.answer = GOOD;
  // Who asks now does not wait for it; who comes after finds it well.
  expect(mirror.remembered()).toEqual(REFUSED);
  await mirror.settle();
  expect(mirror.remembered()).toEqual(GOOD);
});

test("what was seen before a mirror went away is looked at again when it is back", async () => {
  const mirror = setUp();
  await mirror.check();
  mirror.answer = "refused";
  mirror.clock += SECOND;
  await mirror.check(TWO);
  expect(mirror.remembered()).toEqual(REFUSED);
  mirror.clock += MINUTE;
  expect(mirror.remembered()).toBeUndefined();
});

test("a mirror in use is seen to be gone by its own traffic", async () => {
  const mirror = setUp();
  await mirror.check();
  mirror.answer = "refused";
  mirror.clock += 15 * SECOND;
  expect(mirror.remembered()).toEqual(GOOD);
  await mirror.settle();
  expect(mirror.remembered()).toEqual(REFUSED);
});

test("the word of a client makes it look again, but not at what was just seen", async () => {
  const mirror = setUp();
  await mirror.check();
  mirror.answer = BAD;
  mirror.doubt();
  await mirror.settle();
  expect([mirror.looks, mirror.remembered()]).toEqual([1, GOOD]);
  mirror.clock += 2 * SECOND;
  mirror.doubt();
  await mirror.settle();
  expect([mirror.looks, mirror.remembered()]).toEqual([2, BAD]);
});

test("a setback is what was good and is not any more, once for each", async () => {
  const mirror = setUp();
  await mirror.check();
  mirror.answer = BAD;
  await mirror.check(TWO);
  expect(mirror.setbacks()).toBe(0);
  mirror.clock += 2 * SECOND;
  mirror.doubt();
  await mirror.settle();
  expect(mirror.setbacks()).toBe(1);
  mirror.answer = "refused";
  for (const _ of [1, 2, 3]) {
    mirror.clock += MINUTE;
    await mirror.check();
  }
  expect(mirror.setbacks()).toBe(2);
});
