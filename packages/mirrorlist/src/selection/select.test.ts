import { digestOf } from "@nearlayer/shared/digest";
import { describe, expect, test } from "vitest";
import type { Mirror } from "../mirrors/mirror.ts";
import { AMD64, ARM64, NOW, seenMirror } from "../testing/mirrors.ts";
import { createRandom } from "../testing/random.ts";
import { clientOf, parseAddress } from "./client.ts";
import type { Placement } from "./exclude.ts";
import { rankName } from "./rank.ts";
import { type SelectionRequest, select } from "./select.ts";
import { cohortOf, redirectSpread, variantSpread } from "./spread.ts";

const DIGEST = digestOf("layer");

function ask(address: string, place: { country?: string; asn?: number } = {}, more: Partial<SelectionRequest> = {}) {
  const parsed = parseAddress(address);
  if (parsed === undefined) throw new Error(`not an address: ${address}`);
  const client = clientOf(parsed, place);
  const placements: Placement[] = [{ platform: AMD64, since: 5 }];
  return { client, placements, spread: redirectSpread(client, DIGEST), maxProbeAge: 180_000, ...more };
}

const names = (request: SelectionRequest, mirrors: readonly Mirror[]) =>
  select(request, mirrors, NOW).candidates.map(({ mirror, rank }) => `${mirror.name} ${rankName(rank)}`);
const first = (request: SelectionRequest, mirrors: readonly Mirror[]) =>
  select(request, mirrors, NOW).candidates[0]?.mirror.name;

describe("ranks", () => {
  const mirrors = [
    seenMirror("far", { country: "DE", bandwidth: 10_000_000 }),
    seenMirror("country"),
    seenMirror("asn", { country: "DE", asn: 64500 }),
    seenMirror("wide", { country: "DE", netblocks: ["203.0.0.0/16", "2001:db8::/32"] }),
    seenMirror("close", { country: "DE", netblocks: ["203.0.113.0/24", "203.0.0.0/8"] }),
  ];
  const place = { country: "JP", asn: 64500 };

  test("longest netblock, then ASN, country and the rest, whatever the bandwidth", () => {
    const order = ["close netblock/24", "wide netblock/16", "asn asn", "country country", "far rest"];
    expect(names(ask("203.0.113.9", place), mirrors)).toEqual(order);
    expect(names(ask("::ffff:203.0.113.9", place), mirrors)).toEqual(order);
  });

  test("IPv6 matches IPv6 netblocks alone", () => {
    expect(names(ask("2001:db8::1", {}), mirrors)[0]).toBe("wide netblock/32");
  });

  test("a client of whom nothing is known has only the rest", () => {
    expect(new Set(names(ask("192.0.2.1"), mirrors).map((name) => name.split(" ")[1]))).toEqual(new Set(["rest"]));
  });
});

describe("exclusions", () => {
  const twoPlatforms = {
    placements: [
      { platform: AMD64, since: 5 },
      { platform: ARM64, since: 2 },
    ],
  };
  test.each<[string, Mirror, Partial<SelectionRequest>]>([
    ["disabled", seenMirror("m", { disabled: true }), {}],
    ["private", seenMirror("m", { private: true, netblocks: ["198.51.100.0/24"] }), {}],
    ["scheme", seenMirror("m"), { httpsOnly: true }],
    ["platform", seenMirror("m", { platforms: ["linux-arm64"] }, { "linux-arm64": 10 }), {}],
    ["platform", seenMirror("m"), { placements: [] }],
    ["platform", seenMirror("m", {}, { "linux-amd64": 10 }, { failure: { kind: "absent", message: "404" } }), {}],
    ["unreachable", seenMirror("m", {}, {}), {}],
    ["unreachable", seenMirror("m", {}, { "linux-amd64": 10 }, { failure: { kind: "timeout", message: "" } }), {}],
    ["unreachable", seenMirror("m", {}, { "linux-amd64": 10 }, { seenAt: NOW - 180_001 }), {}],
    ["behind", seenMirror("m", {}, { "linux-amd64": 4 }), {}],
    ["behind", seenMirror("m", {}, { "linux-amd64": 4, "linux-arm64": 1 }), twoPlatforms],
  ])("%s", (reason, mirror, more) => {
    expect(select(ask("192.0.2.1", {}, more), [mirror], NOW)).toMatchObject({ candidates: [], rejected: [{ reason }] });
  });

  test("each has its opposite", () => {
    const private_ = seenMirror("p", { private: true, netblocks: ["192.0.2.0/24"] });
    const secure = seenMirror("s", { url: "https://s.example.org/" });
    const old = seenMirror("o", {}, { "linux-amd64": 5 }, { seenAt: NOW - 180_000 });
    expect(names(ask("192.0.2.1"), [private_])).toEqual(["p netblock/24"]);
    expect(names(ask("192.0.2.1", {}, { httpsOnly: true }), [secure])).toEqual(["s rest"]);
    expect(names(ask("192.0.2.1"), [old])).toEqual(["o rest"]);
  });

  test("a blob of two platforms is fetched under the one that the mirror is fresh in", () => {
    const mirror = seenMirror("m", {}, { "linux-amd64": 4, "linux-arm64": 3 });
    expect(select(ask("192.0.2.1", {}, twoPlatforms), [mirror], NOW).candidates[0]?.platform).toBe(ARM64);
  });

  test("every mirror is a candidate or rejected, never both and never neither", () => {
    const mirrors = [seenMirror("a"), seenMirror("b", { disabled: true }), seenMirror("c", {}, {})];
    const { candidates, rejected } = select(ask("192.0.2.1"), mirrors, NOW);
    expect([...candidates, ...rejected].map(({ mirror }) => mirror.name).sort()).toEqual(["a", "b", "c"]);
  });
});

describe("spreading", () => {
  const next = createRandom(2);
  const mirrors = Array.from({ length: 20 }, (_, index) =>
    seenMirror(`m${index}`, { bandwidth: index < 10 ? 100 : 300 }),
  );
  const requests = Array.from({ length: 20_000 }, () => ask(`${1 + next(220)}.${next(256)}.${next(256)}.${next(256)}`));

  test("each mirror's share is that of its bandwidth", () => {
    const counts = new Map<string, number>();
    for (const request of requests) {
      const name = first(request, mirrors) ?? "";
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    for (const { name, bandwidth } of mirrors) {
      const expected = (requests.length * bandwidth) / 4000;
      // Five standard deviations of a binomial draw: about 11% for the smallest share.
      expect(Math.abs((counts.get(name) ?? 0) - expected)).toBeLessThan(5 * Math.sqrt(expected));
    }
  });

  test("when a mirror leaves, only its own clients move", () => {
    const without = mirrors.filter(({ name }) => name !== "m3");
    let moved = 0;
    for (const request of requests.slice(0, 5000)) {
      const before = first(request, mirrors);
      const after = first(request, without);
      if (before === "m3") moved++;
      else expect(after).toBe(before);
    }
    expect(moved).toBeGreaterThan(0);
  });

  test("neighbours and repeated requests get the same order, in whatever order the mirrors are known", () => {
    const order = names(ask("192.0.2.1"), mirrors);
    expect(names(ask("192.0.2.254"), mirrors.toReversed())).toEqual(order);
    expect(names(ask("2001:db8:1:2::1"), mirrors)).toEqual(names(ask("2001:db8:1:ffff::9"), mirrors));
    expect(names(ask("192.0.3.1"), mirrors)).not.toEqual(order);
  });

  test("the layers of one image spread over the equals", () => {
    const { client } = ask("192.0.2.1");
    const chosen = Array.from({ length: 200 }, (_, layer) =>
      first(ask("192.0.2.1", {}, { spread: redirectSpread(client, digestOf(`${layer}`)) }), mirrors),
    );
    expect(new Set(chosen).size).toBe(mirrors.length);
  });

  test("variants are few: by cohort, which all are used", () => {
    const keys = new Set(requests.map(({ client }) => variantSpread(client, DIGEST)));
    expect(keys.size).toBe(64);
    expect(new Set(requests.map(({ client }) => cohortOf(client))).size).toBe(64);
  });
});
