import type { MirrorRecord } from "@nearlayer/shared/catalog/mirrors";
import type { DeclaredMirror } from "@nearlayer/shared/config/schema";
import { expect, test } from "vitest";
import { AMD64, declare, NOW } from "../testing/mirrors.ts";
import { createNetwork } from "./network.ts";

const PROBE = { platform: AMD64, at: NOW, seenAt: NOW, generation: 7, etag: '"7"', lastModified: "now" };

function setUp() {
  const network = createNetwork([declare("stays"), declare("moves"), declare("goes")]);
  for (const { name } of network.mirrors()) network.record(name, [PROBE]);
  return network;
}

test("other declarations: what is known of a server stays, unless it is another server", () => {
  const network = setUp();
  network.replace([
    declare("stays", { bandwidth: 7, country: "DE" }),
    declare("moves", { url: "http://elsewhere.example.org/" }),
    declare("comes"),
  ]);
  expect(
    network.mirrors().map(({ name, bandwidth, country, probes }) => [name, bandwidth, country, probes.size]),
  ).toEqual([
    ["stays", 7, "DE", 1],
    ["moves", 100, "JP", 0],
    ["comes", 100, "JP", 0],
  ]);
  network.record("goes", [PROBE]);
  expect(network.mirrors()).toHaveLength(3);
});

test("without conditions, what a mirror has shown stays, and is read whole the next time", () => {
  const network = setUp();
  network.forgetConditions();
  const [mirror] = network.mirrors();
  expect(mirror?.probes.get(AMD64)).toEqual({ platform: AMD64, at: NOW, seenAt: NOW, generation: 7 });
});

/** A row of the catalog. */
function row(declared: DeclaredMirror, more: Partial<MirrorRecord> = {}): MirrorRecord {
  return {
    name: declared.name,
    declaredBy: "mirror",
    declaration: JSON.stringify(declared),
    proof: null,
    state: "active",
    reason: "checked",
    stateSince: "2026-11-24T12:00:00.000Z",
    createdAt: "2026-11-24T12:00:00.000Z",
    approvedAt: null,
    probeWantedAt: null,
    revision: 1,
    ...more,
  };
}

const states = (network: ReturnType<typeof createNetwork>) =>
  network.mirrors().map(({ name, state, declaredBy, disabled }) => [name, state, declaredBy, disabled]);

test("the file and the catalog make one network; of two with one name, the file's counts", () => {
  const file = [
    declare("own"),
    declare("new"),
    declare("clash", { country: "DE" }),
    declare("off", { disabled: true }),
  ];
  const network = createNetwork(file, {
    revision: 1,
    names: ["clash", "joined", "off", "own"],
    changed: [
      row(declare("clash", { country: "FR" })),
      row(declare("joined"), { state: "quarantined", reason: "wrong bytes" }),
      row(declare("off"), { declaredBy: "operator" }),
      row(declare("own"), { declaredBy: "operator", state: "stale", reason: "behind" }),
    ],
  });
  expect(states(network)).toEqual([
    ["own", "stale", "operator", false],
    ["new", "checking", "operator", false],
    ["clash", "checking", "operator", false],
    ["off", "disabled", "operator", true],
    ["joined", "quarantined", "mirror", false],
  ]);
  expect(network.mirrors()[2]?.country).toBe("DE");
  expect(network.mirrors()[4]?.reason).toBe("wrong bytes");
});

test("what changes in the catalog is taken in, and the other mirrors stay the very same", () => {
  const joined = row(declare("joined"));
  const network = createNetwork([declare("own")], {
    revision: 1,
    names: ["joined", "own"],
    changed: [joined, row(declare("own"), { declaredBy: "operator" })],
  });
  for (const { name } of network.mirrors()) network.record(name, [PROBE]);
  const [own] = network.mirrors();
  network.follow({ revision: 2, names: ["joined", "own"], changed: [{ ...joined, state: "disabled", revision: 2 }] });
  expect(states(network)).toEqual([
    ["own", "active", "operator", false],
    ["joined", "disabled", "mirror", true],
  ]);
  expect(network.mirrors()[0]).toBe(own);
  expect(network.mirrors()[1]?.probes.size).toBe(1);
  network.follow({ revision: 3, names: ["own"], changed: [] });
  expect(states(network)).toEqual([["own", "active", "operator", false]]);
});

test("a row that a newer version wrote is no mirror here, and takes nothing from the others", () => {
  const strange = { ...row(declare("strange")), declaration: '{"name":"strange","moon":true}' };
  const network = createNetwork([], {
    revision: 1,
    names: ["joined", "strange"],
    changed: [row(declare("joined")), strange],
  });
  expect(states(network)).toEqual([["joined", "active", "mirror", false]]);
});
