import { expect, test } from "vitest";
import { seedOf } from "../selection/rendezvous.ts";
import { createRandom } from "../testing/random.ts";
import { createAttemptTable } from "./attempt-table.ts";
import type { Attempts } from "./attempts.ts";

const next = createRandom(7);

function randomAttempts(): Attempts {
  const sentTo = Array.from({ length: next(5) }, () => `https://mirror-${next(20)}.example.org/`);
  return {
    ...{ announced: next(9), pulls: next(9), reruns: next(9), retries: next(9), failed: next(9) },
    ...{ isCrowd: next(2) === 1, isUnannounced: next(2) === 1, sentTo },
    ...{ countedUntil: 1.8e12 + next(60_000), keptUntil: 1.8e12 + next(600_000) },
  };
}

test("holds what a map holds, as long as there is room", () => {
  const table = createAttemptTable(2000);
  const map = new Map<string, Attempts>();
  for (let step = 0; step < 20_000; step += 1) {
    const key = `192.0.2.1 client fedora/app sha256:${next(900)}`;
    if (next(2) === 1) {
      const attempts = randomAttempts();
      table.set(seedOf(key), attempts);
      map.set(key, attempts);
    }
    expect(table.get(seedOf(key))).toEqual(map.get(key));
  }
});

test("beyond its size it forgets what was not used for long, and never what came just now", () => {
  const table = createAttemptTable(100);
  const attempts = randomAttempts();
  for (let key = 0; key < 1000; key += 1) {
    table.set(seedOf(`${key}`), attempts);
    expect(table.get(seedOf(`${key}`))).toEqual(attempts);
  }
  expect(table.get(seedOf("0"))).toBeUndefined();
});
