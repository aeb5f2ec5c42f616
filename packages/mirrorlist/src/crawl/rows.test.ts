import { describe, expect, test } from "vitest";
import type { Probe } from "../mirrors/probe.ts";
import { AMD64, NOW } from "../testing/mirrors.ts";
import { isSameProbe, probeOf, rowOf } from "./rows.ts";

const PROBES: Readonly<Record<string, Probe>> = {
  good: { platform: AMD64, at: NOW, seenAt: NOW, generation: 7, etag: '"7"', lastModified: "Tue, 24 Nov 2026" },
  new: { platform: AMD64, at: NOW, seenAt: NOW },
  doubted: { platform: AMD64, at: NOW, seenAt: NOW, generation: 6, shown: 7, doubt: "shows generation 7, and …" },
  "doubted at first": { platform: AMD64, at: NOW, seenAt: NOW, shown: 7, doubt: "…" },
  failed: {
    platform: AMD64,
    at: NOW,
    seenAt: NOW - 1000,
    generation: 7,
    failure: { kind: "timeout", message: "late" },
  },
};

describe.each(Object.entries(PROBES))("a probe that is %s", (_, probe) => {
  test("comes back from the catalog as it was, whatever its clock", () => {
    const row = rowOf("m", probe, 5000);
    expect(row.at).toBe(new Date(NOW + 5000).toISOString());
    expect(probeOf(row, 5000)).toEqual(probe);
    expect(probeOf(row, 2000).at).toBe(NOW + 3000);
  });

  test("is like none of the others, and like itself at another time", () => {
    for (const other of Object.values(PROBES)) expect(isSameProbe(other, probe)).toBe(other === probe);
    expect(isSameProbe({ ...probe, at: 1, seenAt: 1 }, probe)).toBe(true);
    expect(isSameProbe(undefined, probe)).toBe(false);
  });
});

test("what a mirror says is kept to a length", () => {
  const failure = { kind: "network" as const, message: "x".repeat(10_000) };
  expect(rowOf("m", { platform: AMD64, at: NOW, failure }, 0).failure).toHaveLength(500);
});
