import { expect, test } from "vitest";
import { createNewest } from "./newest.ts";
import { EMPTY_SNAPSHOT, type Snapshot } from "./snapshot.ts";

function setUp(readRevision: () => Promise<number>) {
  const state = { snapshot: { ...EMPTY_SNAPSHOT, revision: 1 } as Snapshot, isReadable: true, asked: 0, now: 0 };
  const newest = createNewest({
    current: () => state.snapshot,
    readRevision: () => {
      state.asked += 1;
      return readRevision();
    },
    isReadable: () => state.isReadable,
    now: () => state.now,
  });
  return { state, newest };
}

test("waits for the snapshot that has what the catalog has, once for all", async () => {
  const { state, newest } = setUp(async () => 2);
  const waiting = Promise.all([newest(), newest()]);
  setTimeout(() => {
    state.snapshot = { ...state.snapshot, revision: 2 };
  }, 30);
  expect((await waiting).map(({ revision }) => revision)).toEqual([2, 2]);
  expect(state.asked).toBe(1);
});

test("asks no more than ten times a second", async () => {
  const { state, newest } = setUp(async () => 1);
  for (state.now = 0; state.now < 1000; state.now += 10) await newest();
  expect(state.asked).toBe(10);
});

test("does not wait for a catalog that is out of reach, hangs or fails", async () => {
  const away = setUp(async () => 2);
  away.state.isReadable = false;
  expect((await away.newest()).revision).toBe(1);
  expect(away.state.asked).toBe(0);
  expect((await setUp(() => new Promise(() => undefined)).newest()).revision).toBe(1);
  expect((await setUp(() => Promise.reject(new Error("no"))).newest()).revision).toBe(1);
});
