import { expect, test } from "vitest";
import { remember } from "./remember.ts";

function setUp() {
  const world = { clock: 0, reads: 0, value: "first", isBroken: false, gate: Promise.resolve() };
  const read = async () => {
    world.reads += 1;
    await world.gate;
    if (world.isBroken) throw new Error("out of reach");
    return world.value;
  };
  return { world, get: remember(read, { forMs: 1000, now: () => world.clock, patienceMs: 20 }) };
}

test("it is read once for all who ask, and again when it is old", async () => {
  const { world, get } = setUp();
  const all = await Promise.all([get(), get(), get()]);
  expect(all).toEqual(Array(3).fill({ value: "first", isMissing: false }));
  world.value = "second";
  world.clock = 999;
  expect((await get()).value).toBe("first");
  expect(world.reads).toBe(1);
  world.clock = 1000;
  expect((await get()).value).toBe("second");
});

test("what cannot be read is what it was, and said to be missing; it is tried again after a while", async () => {
  const { world, get } = setUp();
  world.isBroken = true;
  expect(await get()).toEqual({ value: undefined, isMissing: true });
  world.clock = 1000;
  world.isBroken = false;
  expect(await get()).toEqual({ value: "first", isMissing: false });
  world.clock = 2000;
  world.isBroken = true;
  expect(await get()).toEqual({ value: "first", isMissing: true });
  expect(await get()).toEqual({ value: "first", isMissing: true });
  expect(world.reads).toBe(3);
});

test("nobody waits for long, and what comes late is there for the next", async () => {
  const { world, get } = setUp();
  const { promise, resolve } = Promise.withResolvers<void>();
  world.gate = promise;
  expect(await get()).toEqual({ value: undefined, isMissing: true });
  resolve();
  await new Promise(setImmediate);
  expect(await get()).toEqual({ value: "first", isMissing: false });
  expect(world.reads).toBe(1);
});

test("what could not be read is tried again soon, however long it would have been good for", async () => {
  const { world } = setUp();
  const read = async () => {
    if (world.isBroken) throw new Error("out of reach");
    return "read";
  };
  const get = remember(read, { forMs: 60_000, now: () => world.clock });
  world.isBroken = true;
  await get();
  world.isBroken = false;
  world.clock = 4999;
  expect((await get()).isMissing).toBe(true);
  world.clock = 5000;
  expect(await get()).toEqual({ value: "read", isMissing: false });
});
