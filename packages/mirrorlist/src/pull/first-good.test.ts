import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { firstGood } from "./first-good.ts";
import type { Verdict } from "./verdict.ts";

const GOOD: Verdict = { ok: true, hasRanges: true };
const BAD: Verdict = { ok: false, reason: "is bad" };
const PATIENCE = { step: 500, total: 2000 };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Looks that take so many milliseconds; what is not answered takes for ever. */
async function choose(looks: Readonly<Record<string, readonly [ms: number, verdict: Verdict]>>) {
  const started: string[] = [];
  const begun = Date.now();
  const check = (name: string) => {
    started.push(name);
    const [ms, verdict] = looks[name] ?? [0, BAD];
    return new Promise<Verdict>((resolve) => void setTimeout(() => resolve(verdict), ms));
  };
  const chosen = firstGood(Object.keys(looks), check, PATIENCE).then((name) => ({ name, after: Date.now() - begun }));
  await vi.runAllTimersAsync();
  return { ...(await chosen), started };
}

const NEVER = 1_000_000;

test("the first is taken, and nobody else is asked, when it is quick", async () => {
  const looks = { a: [100, GOOD], b: [0, GOOD] } as const;
  expect(await choose(looks)).toEqual({ name: "a", after: 100, started: ["a"] });
});

test("a slow one is waited for, for it is the nearest; the next ones are asked meanwhile", async () => {
  const looks = { a: [1500, GOOD], b: [10, GOOD], c: [10, GOOD] } as const;
  expect(await choose(looks)).toMatchObject({ name: "a", after: 1500, started: ["a", "b", "c"] });
});

test("a bad one gives its place at once", async () => {
  const looks = { a: [100, BAD], b: [100, BAD], c: [100, GOOD] } as const;
  expect(await choose(looks)).toMatchObject({ name: "c", after: 300 });
});

test("one that turns out bad late costs no second look at those that were asked meanwhile", async () => {
  const looks = { a: [900, BAD], b: [100, GOOD] } as const;
  expect(await choose(looks)).toMatchObject({ name: "b", after: 900, started: ["a", "b"] });
});

test("when the time is up, the best that is known counts, however many hang", async () => {
  const looks = { a: [NEVER, GOOD], b: [NEVER, GOOD], c: [10, GOOD] } as const;
  expect(await choose(looks)).toMatchObject({ name: "c", after: 2000 });
  expect(await choose({ a: [NEVER, GOOD], b: [100, BAD] })).toMatchObject({ name: undefined, after: 2000 });
});

test("nobody is left, or was there", async () => {
  expect(await choose({ a: [100, BAD], b: [100, BAD] })).toMatchObject({ name: undefined, after: 200 });
  expect(await choose({})).toMatchObject({ name: undefined, after: 0 });
});
