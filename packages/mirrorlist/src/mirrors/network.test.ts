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
