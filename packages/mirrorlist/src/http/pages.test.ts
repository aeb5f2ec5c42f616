import { expect, onTestFinished, test } from "vitest";
import { AMD64 } from "../testing/mirrors.ts";
import { createWorld, GERMANY, type World } from "../testing/world.ts";

async function setUp(): Promise<World> {
  const world = await createWorld({
    jp: { country: "JP" },
    de: { country: "DE" },
    campus: { country: "DE", private: true, netblocks: ["192.0.2.0/24"] },
    off: { country: "JP", disabled: true },
  });
  onTestFinished(() => world[Symbol.asyncDispose]());
  await world.tree.push({ repository: "fedora/app", tag: "latest", layers: ["one", "two"] });
  await world.tree.publish(AMD64, 1);
  await world.refresh();
  return world;
}

test("/explain says of every mirror where it stands, and what a pull then does", async () => {
  const world = await setUp();
  const { status, body } = await world.get("/explain?image=fedora/app&ip=203.0.113.200");
  expect(status).toBe(200);
  const explanation = JSON.parse(body.toString());
  expect(explanation).toMatchObject({
    image: { repository: "fedora/app", reference: "latest" },
    client: { address: "203.0.113.200", prefix: "203.0.113.0/24", country: "JP" },
    delivery: { configured: "auto" },
  });
  for (const layer of explanation.layers) {
    expect(layer).toMatchObject({
      chosen: "jp",
      platforms: ["linux-amd64"],
      candidates: [
        { mirror: "jp", rank: "country" },
        { mirror: "de", rank: "distance/far" },
      ],
    });
    expect(layer.rejected.map(({ mirror, reason }: Record<string, string>) => `${mirror} ${reason}`).sort()).toEqual([
      "campus private",
      "off disabled",
    ]);
    const pull = await world.get(`/v2/fedora/app/blobs/${layer.digest}`, { "x-forwarded-for": "203.0.113.200" });
    expect(pull.headers["nearlayer-mirror"]).toBe("jp; rank=country");
  }
});

test("/explain says how far each mirror is, and of what is excluded as well", async () => {
  const world = await createWorld({
    jp: { country: "JP", latitude: 35.7, longitude: 139.7, asn: 64500 },
    kr: { country: "KR", countries: ["KR"] },
    off: { country: "DE", families: ["ipv6"] },
  });
  onTestFinished(() => world[Symbol.asyncDispose]());
  await world.tree.push({ repository: "fedora/app", tag: "latest", layers: ["one"] });
  await world.tree.publish(AMD64, 1);
  await world.refresh();
  const { client, layers } = JSON.parse((await world.get("/explain?image=fedora/app")).body.toString());
  expect(client.position).toEqual({ latitude: expect.closeTo(36.2, 1), longitude: expect.closeTo(138.3, 1) });
  const [{ candidates, rejected, overflowed }] = layers;
  expect(candidates).toMatchObject([{ mirror: "jp", country: "JP", asn: 64500, rank: "country" }]);
  expect(candidates[0].distanceKm).toBeGreaterThan(100);
  expect(candidates[0].distanceKm).toBeLessThan(200);
  expect(rejected).toMatchObject([
    { mirror: "kr", reason: "country", detail: "only for clients in KR" },
    { mirror: "off", reason: "family", detail: "has no IPv4 address" },
  ]);
  expect(rejected.every(({ distanceKm }: { distanceKm: number }) => distanceKm > 900)).toBe(true);
  expect(overflowed).toEqual([]);
});

test("/explain without an address is about the asker", async () => {
  const world = await setUp();
  const { body } = await world.get("/explain?image=fedora/app:latest", { "x-forwarded-for": GERMANY });
  expect(JSON.parse(body.toString())).toMatchObject({ client: { country: "DE" }, layers: [{ chosen: "de" }, {}] });
});

test.each([
  ["/explain?image=fedora/app&ip=nonsense", 400],
  ["/explain?ip=203.0.113.1", 400],
  ["/explain?image=FEDORA&ip=203.0.113.1", 400],
  ["/explain?image=nowhere&ip=203.0.113.1", 404],
  ["/explain?image=fedora/app:9&ip=203.0.113.1", 404],
])("%s is %d", async (path, status) => {
  const world = await setUp();
  expect((await world.get(path)).status).toBe(status);
});

test("/mirrors.json and / show the mirrors, but not where the private ones are", async () => {
  const world = await setUp();
  const { mirrors } = JSON.parse((await world.get("/mirrors.json")).body.toString());
  expect(mirrors[0]).toMatchObject({
    name: "jp",
    platforms: [{ platform: "linux-amd64", state: "fresh", generation: 1 }],
  });
  expect(mirrors[2]).not.toHaveProperty("url");
  for (const path of ["/", "/mirrors", "/mirrors/campus", "/mirrors.txt", "/explain?format=html&image=fedora/app"]) {
    const { status, body } = await world.get(path);
    expect(status).toBe(200);
    expect(body.toString()).not.toMatch(String(world.mirrors.campus?.port));
  }
  expect((await world.get("/mirrors")).body.toString()).toMatch('href="/mirrors/campus"');
});

test("health", async () => {
  const world = await setUp();
  expect((await world.get("/healthz")).status).toBe(200);
  expect((await world.get("/readyz")).status).toBe(200);
});
