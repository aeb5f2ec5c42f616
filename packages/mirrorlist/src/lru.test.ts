import { expect, test } from "vitest";
import { createLru } from "./lru.ts";

test("forgets what was not used for longest", () => {
  const lru = createLru<string, number>(2);
  lru.set("a", 1);
  lru.set("b", 2);
  lru.get("a");
  lru.set("c", 3);
  expect([lru.get("a"), lru.get("b"), lru.get("c"), lru.size]).toEqual([1, undefined, 3, 2]);
});

test("weighs what it holds, also when a value is replaced", () => {
  const lru = createLru<string, string>(10, (value) => value.length);
  lru.set("a", "12345678");
  lru.set("a", "1234");
  lru.set("b", "123456");
  expect(lru.size).toBe(2);
  lru.set("c", "1");
  expect([lru.get("a"), lru.get("b"), lru.get("c")]).toEqual([undefined, "123456", "1"]);
});
