import { expect, test } from "vitest";
import type { Mirror } from "../mirrors/mirror.ts";
import { AMD64, NOW, seenMirror } from "../testing/mirrors.ts";
import { momentOf } from "./moment.ts";

const JP = seenMirror("jp");
const DE = seenMirror("de");

const probed = (mirror: Mirror, probe: Record<string, unknown>): Mirror => ({
  ...mirror,
  probes: new Map([[AMD64, { platform: AMD64, at: NOW, seenAt: NOW, generation: 10, ...probe }]]),
});

test("a probe that shows the same leaves the moment as it is", () => {
  const moment = momentOf([JP, DE]);
  expect(momentOf([JP, probed(DE, { at: NOW + 60_000, seenAt: NOW + 60_000, etag: '"2"' })])).toBe(moment);
});

test.each<[string, Mirror[]]>([
  ["a new generation", [JP, probed(DE, { generation: 11 })]],
  ["a failure", [JP, probed(DE, { failure: { kind: "timeout", message: "" } })]],
  ["a first probe of another platform", [JP, seenMirror("de", {}, { "linux-amd64": 10, "linux-arm64": 1 })]],
  ["a mirror more", [JP, DE, seenMirror("us")]],
  ["a mirror less", [JP]],
  ["another order", [DE, JP]],
  ["another declaration", [JP, { ...DE, disabled: true }]],
  ["whatever else is known of a mirror", [JP, { ...DE, quarantined: "wrong bytes" } as Mirror]],
])("%s is another moment", (_, mirrors) => {
  expect(momentOf(mirrors)).not.toBe(momentOf([JP, DE]));
});
