import type { CarriedBlob } from "@nearlayer/shared/catalog/carried";
import { digestOf } from "@nearlayer/shared/digest";
import { expect, test } from "vitest";
import { createRandom } from "../testing/random.ts";
import { sampleOf } from "./sample.ts";

const blobs = (perGeneration: number, generations: number): CarriedBlob[] =>
  Array.from({ length: perGeneration * generations }, (_, index) => ({
    digest: digestOf(String(index)),
    size: 1,
    since: generations - Math.floor(index / perGeneration),
  }));

function random(seed: number) {
  const below = createRandom(seed);
  return () => below(2 ** 32) / 2 ** 32;
}

test("few are taken all", () => {
  const few = blobs(4, 4);
  expect(sampleOf(few, 16, random(1))).toEqual(few);
});

test("of many, so many, each once, the newest first among the likely, and each at some time", () => {
  const many = blobs(40, 10);
  const seen = new Map<number, number>();
  for (let seed = 0; seed < 500; seed += 1) {
    const sample = sampleOf(many, 16, random(seed));
    expect(new Set(sample.map(({ digest }) => digest)).size).toBe(16);
    for (const { since } of sample) seen.set(since, (seen.get(since) ?? 0) + 1);
  }
  const [newest = 0, next = 0, oldest = 0] = [10, 9, 1].map((since) => seen.get(since));
  expect(newest / (500 * 16)).toBeCloseTo(0.5, 1);
  expect(next / newest).toBeCloseTo(0.5, 1);
  expect(oldest).toBeGreaterThan(0);
});

test("all of a span that is one generation are alike", () => {
  const one = blobs(100, 1);
  const seen = new Set<string>();
  for (let seed = 0; seed < 200; seed += 1) for (const { digest } of sampleOf(one, 16, random(seed))) seen.add(digest);
  expect(seen.size).toBe(100);
});
