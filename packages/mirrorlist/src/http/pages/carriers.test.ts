import { expect, test } from "vitest";
import { AMD64, ARM64, NOW, seenMirror } from "../../testing/mirrors.ts";
import { countCarriers } from "./carriers.ts";

const MIRRORS = [
  seenMirror("fresh"),
  seenMirror("stale", {}, { "linux-amd64": 3 }),
  seenMirror("other", {}, { "linux-arm64": 10 }),
  seenMirror("private", { private: true, netblocks: ["192.0.2.0/24"] }),
  seenMirror("local", { countries: ["KR"], families: ["ipv6"] }),
  seenMirror("off", { disabled: true }),
  { ...seenMirror("wrong"), state: "quarantined" as const },
  { ...seenMirror("new"), state: "checking" as const },
  seenMirror("secure", { url: "https://secure.example.org/" }),
];
const options = { scheme: "any", maxProbeAge: 1000, now: NOW } as const;

test("those carry a blob that somebody could be sent to for it", () => {
  const { count, total } = countCarriers(MIRRORS, options);
  expect(total).toBe(6);
  expect(count([{ platform: AMD64, since: 3 }])).toBe(5);
  expect(count([{ platform: AMD64, since: 4 }])).toBe(4);
  expect(
    count([
      { platform: AMD64, since: 4 },
      { platform: ARM64, since: 10 },
    ]),
  ).toBe(5);
  expect(count([])).toBe(0);
});

test("by the schemes that are allowed, and by probes that are not too old", () => {
  expect(countCarriers(MIRRORS, { ...options, scheme: "https-only" })).toMatchObject({ total: 1 });
  expect(countCarriers(MIRRORS, { ...options, now: NOW + 1001 }).count([{ platform: AMD64, since: 1 }])).toBe(0);
});
