import { expect, test } from "vitest";
import { inTagOrder } from "./tag-order.ts";

test("latest, versions with the newest first, names", () => {
  const tags = ["1.0", "1.0-rc1", "1.0.1", "10", "9", "beta", "alpha10", "alpha9", "latest", "v2", "v11.1", "007"];
  expect(inTagOrder(tags.toSorted())).toEqual([
    ...["latest", "v11.1", "10", "9", "007", "v2", "1.0.1", "1.0", "1.0-rc1"],
    ...["alpha9", "alpha10", "beta"],
  ]);
});

test("the same list is sorted once", () => {
  const tags = ["1", "2"];
  expect(inTagOrder(tags)).toBe(inTagOrder(tags));
  expect(tags).toEqual(["1", "2"]);
});
