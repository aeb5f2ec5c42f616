import { expect, test } from "vitest";
import { createPace } from "./pace.ts";

const never = new AbortController().signal;

function paceAt(clock: { now: number }, concurrency = 8, signal = never) {
  return createPace(
    concurrency,
    signal,
    () => clock.now,
    () => 0,
  );
}

/** Has it ended by now? */
async function settled(promise: Promise<void>): Promise<boolean> {
  return Promise.race([promise.then(() => true), new Promise<false>((resolve) => setImmediate(() => resolve(false)))]);
}

test("a host that wants to be left alone is, and no other", async () => {
  const clock = { now: 1000 };
  const giveUp = new AbortController();
  const pace = paceAt(clock, 8, giveUp.signal);
  pace.slowDown("busy", 60_000);
  const waiting = pace.ready("busy");
  expect(await settled(waiting.catch(() => undefined))).toBe(false);
  expect(await settled(pace.ready("other"))).toBe(true);
  clock.now += 60_000;
  expect(await settled(pace.ready("busy"))).toBe(true);
  giveUp.abort(new Error("closed"));
  await expect(waiting).rejects.toThrow();
});

test("the longest pause counts, and answers from before it halve the pace once", () => {
  const clock = { now: 1000 };
  const pace = paceAt(clock);
  pace.slowDown("busy", 2000);
  pace.slowDown("busy", 5000);
  pace.slowDown("busy", 1000);
  expect(pace.concurrency).toBe(4);
  clock.now += 5001;
  pace.slowDown("busy", 1000);
  expect(pace.concurrency).toBe(2);
});

test("the pace never falls to nothing, and picks up to where it was", () => {
  const clock = { now: 0 };
  const pace = paceAt(clock, 4);
  for (let round = 0; round < 5; round += 1) {
    clock.now += 10_000_000;
    pace.slowDown("busy", undefined);
  }
  expect(pace.concurrency).toBe(1);
  for (let answer = 0; answer < 1 + 2 + 3; answer += 1) pace.speedUp("busy");
  expect(pace.concurrency).toBe(4);
  for (let answer = 0; answer < 100; answer += 1) pace.speedUp("busy");
  expect(pace.concurrency).toBe(4);
});

test("no more than the slots run at once", async () => {
  const pace = paceAt({ now: 0 }, 2);
  let running = 0;
  let most = 0;
  await Promise.all(
    Array.from({ length: 10 }, () =>
      pace.run(async () => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setImmediate(resolve));
        running -= 1;
      }),
    ),
  );
  expect(most).toBe(2);
});
