import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { pack, unpack } from "./packed.ts";

test("what was packed comes back as it was, small and large, old and new, whatever came between", () => {
  const sizes = [0, 1, 700, 1600, 8191, 8192, 8193, 100_000];
  const kept = Array.from({ length: 400 }, (_, index) => {
    const size = sizes[index % sizes.length] ?? 0;
    // Some of it can be compressed, some cannot.
    const bytes = index % 3 === 0 ? randomBytes(size) : Buffer.alloc(size, `manifest ${index}`);
    return { bytes, packed: pack(bytes) };
  });
  for (const { bytes, packed } of [...kept, ...kept]) {
    expect(packed.size).toBe(bytes.length);
    expect(Buffer.compare(unpack(packed), bytes)).toBe(0);
  }
});

test("what is alike takes a part of its size", () => {
  const manifests = Array.from({ length: 1000 }, (_, index) => Buffer.from(`{"layers":"${"x".repeat(1600)}${index}"}`));
  const blocks = new Set(manifests.map((bytes) => pack(bytes).block));
  const bytes = [...blocks].reduce((sum, block) => sum + block.bytes.length, 0);
  expect(bytes).toBeLessThan(manifests.length * 160);
});

test("what is asked for again is the same", () => {
  const packed = pack(Buffer.from("manifest"));
  expect(unpack(packed)).toBe(unpack(packed));
});
