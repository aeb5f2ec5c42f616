import { digestOf } from "@nearlayer/shared/digest";
import { describe, expect, test } from "vitest";
import type { Mirror } from "../mirrors/mirror.ts";
import { AMD64, NOW, seenMirror } from "../testing/mirrors.ts";
import { createRandom } from "../testing/random.ts";
import { clientOf, parseAddress } from "./client.ts";
import { enoughFor, firstBand } from "./overflow.ts";
import { nearest, select } from "./select.ts";
import { redirectSpread } from "./spread.ts";

const CLIENTS = 4000;

/** How many of a country's clients each mirror gets, of all. */
function sharesIn(country: string, mirrors: readonly Mirror[], since = 5): Map<string, number> {
  const next = createRandom(5);
  const shares = new Map<string, number>();
  for (let asked = 0; asked < CLIENTS; asked++) {
    const address = parseAddress(`${1 + next(220)}.${next(256)}.${next(256)}.1`);
    if (address === undefined) throw new Error("not an address");
    const client = clientOf(address, { country });
    const spread = redirectSpread(client, digestOf("layer"));
    const request = { client, spread, placements: [{ platform: AMD64, since }], maxProbeAge: 1000 };
    const name = nearest(request, mirrors, NOW, 1)[0]?.mirror.name ?? "origin";
    shares.set(name, (shares.get(name) ?? 0) + 1 / CLIENTS);
  }
  return shares;
}

const europe = (count: number, more: Record<string, unknown> = {}) =>
  Array.from({ length: count }, (_, index) => seenMirror(`eu${index}`, { country: "DE", ...more }));

describe("a lone mirror", () => {
  const brazil = seenMirror("brazil", { country: "BR" });

  test("does not capture a continent: it keeps the part of the clients that it has bandwidth for", () => {
    const mirrors = [brazil, ...europe(20)];
    // Three average mirrors are enough for a band; it is one.
    for (const country of ["AR", "PE", "BO", "PY"])
      expect(sharesIn(country, mirrors).get("brazil")).toBeCloseTo(1 / 3, 1);
    // Its own country is its own.
    expect(sharesIn("BR", mirrors).get("brazil")).toBeCloseTo(1);
  });

  test.each([
    ["a tenth as fast", [seenMirror("brazil", { country: "BR", bandwidth: 10 }), ...europe(20)], 0.035],
    ["as fast as three", [seenMirror("brazil", { country: "BR", bandwidth: 400 }), ...europe(20)], 1],
    ["in a network of three", [brazil, ...europe(2)], 1],
    [
      "with two that are stale",
      [brazil, seenMirror("s1", { country: "BR" }, {}), seenMirror("s2", { country: "BR" }, {}), ...europe(20)],
      1 / 3,
    ],
    ["where all others are stale", [brazil, ...europe(20).map((mirror) => ({ ...mirror, probes: new Map() }))], 1],
  ])("%s", (_, mirrors, share) => {
    expect(Math.abs((sharesIn("AR", mirrors).get("brazil") ?? 0) - share)).toBeLessThan(0.03);
  });

  test("comes next for those whom it left to others, and people are told", () => {
    const mirrors = [brazil, ...europe(20)];
    const next = createRandom(9);
    let overflowed = 0;
    for (let asked = 0; asked < 200; asked++) {
      const client = clientOf(parseAddress(`198.51.${next(256)}.1`) ?? raise(), { country: "AR" });
      const spread = redirectSpread(client, digestOf("layer"));
      const request = { client, spread, placements: [{ platform: AMD64, since: 5 }], maxProbeAge: 1000 };
      const selection = select(request, mirrors, NOW);
      const place = selection.candidates.findIndex(({ mirror }) => mirror === brazil);
      expect(place).toBe(selection.overflowed.length === 0 ? 0 : 20);
      overflowed += selection.overflowed.length;
    }
    expect(overflowed).toBeGreaterThan(50);
  });
});

test("no mirror gets more of a region than its bandwidth is of what is enough, however the world looks", () => {
  const next = createRandom(3);
  const countries = ["JP", "DE", "US", "BR", "AU", "ZA", "KE", "CL", "NZ", "NO"];
  for (let round = 0; round < 12; round++) {
    const mirrors = Array.from({ length: 5 + next(40) }, (_, index) =>
      seenMirror(`m${index}`, { country: countries[next(countries.length)], bandwidth: 10 + next(1000) }),
    );
    const bandwidth = mirrors.reduce((sum, mirror) => sum + mirror.bandwidth, 0);
    const enough = enoughFor({ bandwidth, count: mirrors.length });
    // Nobody has a mirror in Iceland, in Madagascar or in Fiji.
    for (const [name, share] of sharesIn(["IS", "MG", "FJ"][round % 3] ?? "", mirrors)) {
      const own = mirrors.find((mirror) => mirror.name === name)?.bandwidth ?? 0;
      expect(share).toBeLessThan(own / enough + 0.04);
    }
  }
});

test("adding a mirror to a far band moves nobody but those whom it gets", () => {
  const mirrors = [seenMirror("brazil", { country: "BR" }), ...europe(20)];
  // As heavy as the average, so that what is enough stays.
  const more = [...mirrors, seenMirror("new", { country: "DE" })];
  const next = createRandom(4);
  for (let asked = 0; asked < 500; asked++) {
    const client = clientOf(parseAddress(`${1 + next(220)}.${next(256)}.7.1`) ?? raise(), { country: "AR" });
    const spread = redirectSpread(client, digestOf("layer"));
    const request = { client, spread, placements: [{ platform: AMD64, since: 5 }], maxProbeAge: 1000 };
    const [before, after] = [mirrors, more].map((all) => nearest(request, all, NOW, 1)[0]?.mirror.name);
    if (after !== "new") expect(after).toBe(before);
  }
});

test.each([
  [[5, 10], 10, 0.4, 0],
  [[5, 10], 10, 0.6, 1],
  [[0, 0, 5], 1, 0.01, 2],
  [[1, 1], 10, 0.4, 0],
  [[1, 1], 10, 0.6, 1],
  [[0, 0], 10, 0.5, 0],
  [[], 10, 0.5, 0],
])("bands of %j, %d enough, draw %d: band %d", (bandwidths, enough, draw, band) => {
  const asked = bandwidths.map((bandwidth) => () => bandwidth);
  expect(firstBand(asked, enough, draw)).toBe(band);
});

function raise(): never {
  throw new Error("not an address");
}
