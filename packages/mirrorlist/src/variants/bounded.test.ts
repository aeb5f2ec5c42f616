import { digestOf } from "@nearlayer/shared/digest";
import { expect, test } from "vitest";
import { pack } from "../served/packed.ts";
import { boundedVariants } from "./bounded.ts";
import type { Variants } from "./variants.ts";

const NEVER = () => new Promise<undefined>(() => undefined);
const ORIGINAL = { digest: digestOf("x"), mediaType: "x", ...pack(new Uint8Array()) };

test("a catalog that hangs: what would be made is left, what is asked for is not denied", async () => {
  const hanging = boundedVariants({ remembered: () => undefined, make: NEVER, find: NEVER } as Variants, 20);
  expect(await hanging.make(ORIGINAL, { places: [], layers: [] } as never)).toBeUndefined();
  await expect(hanging.find(digestOf("x"), () => undefined)).rejects.toMatchObject({ code: "CATALOG_FAILED" });
});

test("what is over in time is as it is", async () => {
  const failure = new Error("no");
  const variants = boundedVariants(
    { remembered: () => undefined, make: async () => undefined, find: () => Promise.reject(failure) } as Variants,
    1000,
  );
  expect(await variants.make(ORIGINAL, {} as never)).toBeUndefined();
  await expect(variants.find(digestOf("x"), () => undefined)).rejects.toBe(failure);
});
