import type { MirrorState } from "@nearlayer/shared/catalog/schema-network";
import { digestOf } from "@nearlayer/shared/digest";
import { describe, expect, test } from "vitest";
import type { Mirror } from "../mirrors/mirror.ts";
import { AMD64, ARM64, NOW, seenMirror } from "../testing/mirrors.ts";
import { createRandom } from "../testing/random.ts";
import { clientOf, parseAddress } from "./client.ts";
import type { Placement } from "./exclude.ts";
import { rankName } from "./rank.ts";
import { nearest, type SelectionRequest, select } from "./select.ts";
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

const inState = (state: MirrorState): Mirror => ({ ...seenMirror("m"), state, reason: "because" });

describe("ranks", () => {
  const mirrors = [
    seenMirror("far", { country: "DE", bandwidth: 10_000_000 }),
    seenMirror("nowhere", { country: "ZZ" }),
    seenMirror("korea", { country: "KR", bandwidth: 10_000_000 }),
    seenMirror("country"),
    seenMirror("asn", { country: "DE", asn: 64500 }),
    seenMirror("wide", { country: "DE", netblocks: ["203.0.0.0/16", "2001:db8::/32"] }),
    seenMirror("close", { country: "DE", netblocks: ["203.0.113.0/24", "203.0.0.0/8"] }),
  ];
  const place = { country: "JP", asn: 64500 };

  test("longest netblock, then ASN, country, distance and the rest, whatever the bandwidth", () => {
    const exact = ["close netblock/24", "wide netblock/16", "asn asn", "country country"];
    const order = [...exact, "korea distance/1000", "far distance/far", "nowhere rest"];
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
    ["pending", inState("pending"), {}],
    ["pending", inState("checking"), {}],
    ["quarantined", inState("quarantined"), {}],
    ["private", seenMirror("m", { private: true, netblocks: ["198.51.100.0/24"] }), {}],
    ["country", seenMirror("m", { countries: ["JP", "KR"] }), {}],
    ["country", seenMirror("m", { countries: ["JP"], netblocks: ["192.0.2.0/24"] }), {}],
    ["family", seenMirror("m", { families: ["ipv6"] }), {}],
    ["scheme", seenMirror("m"), { httpsOnly: true }],
    ["scheme", seenMirror("m"), { scheme: "https-only" }],
    ["platform", seenMirror("m", { platforms: ["linux-arm64"] }, { "linux-arm64": 10 }), {}],
    ["platform", seenMirror("m"), { placements: [] }],
    ["platform", seenMirror("m", {}, { "linux-amd64": 10 }, { failure: { kind: "absent", message: "404" } }), {}],
    ["unreachable", seenMirror("m", {}, {}), {}],
    ["unreachable", seenMirror("m", {}, { "linux-amd64": 10 }, { failure: { kind: "timeout", message: "" } }), {}],
    ["unsigned", seenMirror("m", {}, { "linux-amd64": 10 }, { failure: { kind: "unsigned", message: "" } }), {}],
    ["unreachable", seenMirror("m", {}, { "linux-amd64": 10 }, { seenAt: NOW - 180_001 }), {}],
    ["behind", seenMirror("m", {}, { "linux-amd64": 4 }), {}],
    ["behind", seenMirror("m", {}, { "linux-amd64": 4, "linux-arm64": 1 }), twoPlatforms],
  ])("%s", (reason, mirror, more) => {
    expect(select(ask("192.0.2.1", {}, more), [mirror], NOW)).toMatchObject({ candidates: [], rejected: [{ reason }] });
  });

  test("a state that keeps a mirror out says why; one that is stale or has been gone serves what its probes show", () => {
    expect(select(ask("192.0.2.1"), [inState("quarantined")], NOW).rejected).toMatchObject([{ detail: "because" }]);
    for (const state of ["active", "stale", "unreachable"] as const) {
      expect(names(ask("192.0.2.1"), [inState(state)])).toHaveLength(1);
    }
  });

  test("what a mirror only says that it has does not count, and the reason says so", () => {
    const lying = seenMirror(
      "m",
      {},
      { "linux-amd64": 4 },
      { shown: 9, doubt: "shows generation 9, and lacks a blob" },
    );
    expect(select(ask("192.0.2.1"), [lying], NOW).rejected).toMatchObject([
      {
        reason: "behind",
        detail: expect.stringMatching(/at generation 4, .*; it shows generation 9, and lacks a blob$/),
      },
    ]);
  });

  test("each has its opposite", () => {
    const private_ = seenMirror("p", { private: true, netblocks: ["192.0.2.0/24"] });
    const secure = seenMirror("s", { url: "https://s.example.org/" });
    const open = seenMirror("c", { countries: ["JP"], families: ["ipv4"], country: "KR" });
    const old = seenMirror("o", {}, { "linux-amd64": 5 }, { seenAt: NOW - 180_000 });
    expect(names(ask("192.0.2.1"), [private_])).toEqual(["p netblock/24"]);
    expect(names(ask("192.0.2.1", {}, { httpsOnly: true }), [secure])).toEqual(["s rest"]);
    expect(names(ask("192.0.2.1", {}, { scheme: "https-only" }), [secure])).toEqual(["s rest"]);
    expect(names(ask("192.0.2.1", { country: "JP" }), [open])).toEqual(["c distance/1000"]);
    expect(names(ask("2001:db8::1", { country: "JP" }), [open])).toEqual([]);
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

test("prefer-https puts https first within a rank, and no farther one before a nearer", () => {
  const https = (name: string, country: string) =>
    seenMirror(name, { country, url: `https://${name}.example.org/`, bandwidth: 1 });
  const mirrors = [seenMirror("plain", { bandwidth: 10_000 }), https("secure", "JP"), https("far", "DE")];
  const order = ["secure country", "plain country", "far distance/far"];
  for (let network = 0; network < 20; network++) {
    expect(names(ask(`192.0.${network}.1`, { country: "JP" }, { scheme: "prefer-https" }), mirrors)).toEqual(order);
  }
});

describe("spreading", () => {
  const next = createRandom(2);
  const mirrors = Array.from({ length: 50 }, (_, index) =>
    seenMirror(`m${index}`, { country: index < 25 ? "JP" : "DE", bandwidth: 100 * (1 + (index % 3)) }),
  );
  const places = [{ country: "JP" }, { country: "DE" }, {}];
  const address = () => `${1 + next(220)}.${next(256)}.${next(256)}.${next(256)}`;
  const requests = Array.from({ length: 10_000 }, () => ask(address(), places[next(3)]));

  /** How often each mirror comes first for clients of a country. */
  function sharesOf(country: string | undefined, layers: number): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { client, ...request } of requests.filter((one) => one.client.country === country)) {
      for (let layer = 0; layer < layers; layer++) {
        const spread = redirectSpread(client, digestOf(`layer ${layer}`));
        const name = nearest({ ...request, client, spread }, mirrors, NOW, 1)[0]?.mirror.name ?? "";
        counts.set(name, (counts.get(name) ?? 0) + 1);
      }
    }
    return counts;
  }

  test.each(["JP", "DE", undefined])(
    "clients in %s: each mirror's share of its rank is its share of bandwidth",
    (country) => {
      // Many layers of each of 10,000 clients: what is left of chance is well below the tenth that is allowed.
      const counts = sharesOf(country, country === undefined ? 60 : 30);
      const rank = mirrors.filter((mirror) => country === undefined || mirror.country === country);
      const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
      const bandwidth = rank.reduce((sum, mirror) => sum + mirror.bandwidth, 0);
      expect([...counts.keys()].sort()).toEqual(rank.map(({ name }) => name).sort());
      for (const mirror of rank) {
        const share = (counts.get(mirror.name) ?? 0) / total / (mirror.bandwidth / bandwidth);
        expect(Math.abs(share - 1)).toBeLessThan(0.1);
      }
    },
  );

  test("adding or removing a mirror moves only its own share", () => {
    const without = mirrors.filter(({ name }) => name !== "m3");
    let moved = 0;
    for (const request of requests.slice(0, 5000)) {
      const [before, after] = [first(request, mirrors), first(request, without)];
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
    const chosen = Array.from({ length: 1000 }, (_, layer) =>
      first(ask("192.0.2.1", {}, { spread: redirectSpread(client, digestOf(`${layer}`)) }), mirrors),
    );
    expect(new Set(chosen).size).toBe(mirrors.length);
  });

  test("variants are few: by cohort, which all are used", () => {
    const keys = new Set(requests.map(({ client }) => variantSpread(client, DIGEST).join()));
    expect(keys.size).toBe(64);
    expect(new Set(requests.map(({ client }) => cohortOf(client))).size).toBe(64);
  });
});

test("the first few are those of the whole order, whatever the mirrors and the client are", () => {
  const next = createRandom(7);
  const pick = <T>(items: readonly T[]) => items[next(items.length)] as T;
  const countries = ["JP", "DE", "US", "BR", "AU", "ZA", "ZZ"];
  for (let round = 0; round < 300; round++) {
    const mirrors = Array.from({ length: 1 + next(30) }, (_, index) =>
      seenMirror(
        `m${index}`,
        {
          country: pick(countries),
          bandwidth: 1 + next(1000),
          disabled: next(8) === 0,
          private: next(8) === 0,
          netblocks: next(4) === 0 ? [`${10 + next(3)}.0.0.0/${8 + next(8)}`] : [],
          url: `${pick(["http", "https"])}://m${index}.example.org/`,
          ...(next(4) === 0 ? { asn: 64500 + next(2) } : {}),
          ...(next(6) === 0 ? { countries: [pick(countries)] } : {}),
          ...(next(6) === 0 ? { families: ["ipv6"] } : {}),
        },
        { "linux-amd64": 3 + next(5) },
      ),
    );
    const place = {
      ...(next(4) === 0 ? {} : { country: pick(countries) }),
      ...(next(2) ? { asn: 64500 + next(2) } : {}),
    };
    const scheme = pick(["any", "prefer-https", "https-only"] as const);
    const request = ask(`${10 + next(3)}.${next(256)}.0.1`, place, { scheme });
    const { candidates, rejected } = select(request, mirrors, NOW);
    expect([...candidates, ...rejected].map(({ mirror }) => mirror.name).sort()).toEqual(
      mirrors.map(({ name }) => name).sort(),
    );
    for (const count of [1, 3, 50]) expect(nearest(request, mirrors, NOW, count)).toEqual(candidates.slice(0, count));
    for (const { mirror } of candidates) {
      expect(mirror.countries?.has(request.client.country ?? "") ?? true).toBe(true);
      expect(mirror.private).toBe(mirror.private && candidates[0]?.rank.kind === "netblock");
    }
  }
});

test("what a probe has shown counts at once, and so does what is declared anew", () => {
  const request = ask("192.0.2.1", { country: "JP" });
  const fresh = seenMirror("m");
  const stale = { ...fresh, probes: new Map() };
  const others = [seenMirror("other", { country: "DE" })];
  expect(first(request, [fresh, ...others])).toBe("m");
  expect(first(request, [stale, ...others])).toBe("other");
  expect(first(request, [{ ...fresh, disabled: true }, ...others])).toBe("other");
  expect(first(request, [{ ...fresh, countries: new Set(["DE"]) }, ...others])).toBe("other");
});
