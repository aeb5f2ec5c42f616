import { digestOf } from "@nearlayer/shared/digest";
import { expect, test } from "vitest";
import { seedOf } from "../selection/rendezvous.ts";
import { createGifts } from "./gifts.ts";

const [ONE, TWO] = [[{ layer: digestOf("one") }], [{ layer: digestOf("two"), mirror: "http://m1/" }]] as const;

test("the last manifest of each puller is taken once", () => {
  const gifts = createGifts(100);
  gifts.put(seedOf("a"), ONE, 1);
  gifts.put(seedOf("b"), ONE, 2);
  gifts.put(seedOf("a"), TWO, 3);
  expect(gifts.take(seedOf("a"))).toEqual({ layers: TWO, at: 3 });
  expect(gifts.take(seedOf("a"))).toBeUndefined();
  gifts.put(seedOf("a"), ONE, 4);
  expect(gifts.take(seedOf("a"))).toEqual({ layers: ONE, at: 4 });
  expect(gifts.take(seedOf("b"))).toEqual({ layers: ONE, at: 2 });
  expect(gifts.take(seedOf("c"))).toBeUndefined();
});

test("beyond the size the oldest are forgotten, and never what came just now", () => {
  const gifts = createGifts(100);
  for (let at = 0; at < 1000; at += 1) gifts.put(seedOf(`${at}`), ONE, at);
  const kept = Array.from({ length: 1000 }, (_, at) => gifts.take(seedOf(`${at}`))?.at).filter(
    (at) => at !== undefined,
  );
  expect(kept.length).toBeLessThanOrEqual(100);
  expect(kept).toEqual(Array.from({ length: kept.length }, (_, index) => 1000 - kept.length + index));
  expect(kept.length).toBeGreaterThanOrEqual(50);
});
