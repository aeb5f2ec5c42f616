import { DatabaseSync } from "node:sqlite";
import { type Digest, digestOf } from "@nearlayer/shared/digest";
import { MEDIA_TYPE } from "@nearlayer/shared/mediatype";
import { pubBlobName } from "@nearlayer/shared/tree";
import { describe, expect, onTestFinished, test } from "vitest";
import { AMD64 } from "../testing/mirrors.ts";
import { createWorld, GERMANY, type World } from "../testing/world.ts";

const PODMAN = { "user-agent": "containers/5.23.1 (github.com/containers/image)", host: "registry.example.org" };
const PATH = "/v2/fedora/app/manifests/40";

async function setUp(mirrorlist: Record<string, unknown> = {}, mediaType: string = MEDIA_TYPE.schema2) {
  const world = await createWorld({ jp: { country: "JP" }, de: { country: "DE" } }, mirrorlist);
  onTestFinished(() => world[Symbol.asyncDispose]());
  const app = await world.tree.push({ repository: "fedora/app", tag: "40", layers: ["one", "two"], mediaType });
  await world.tree.publish(AMD64, 1);
  await world.refresh();
  return { world, app };
}

const urlOf = (world: World, mirror: string, digest: Digest | undefined) =>
  digest && `${world.mirrors[mirror]?.url}${pubBlobName(AMD64, digest)}`;
const digestIn = (headers: Record<string, unknown>) => String(headers["docker-content-digest"]) as Digest;

test.each([MEDIA_TYPE.schema2, MEDIA_TYPE.ociManifest])(
  "%s gets the mirrors in order on each layer, and us",
  async (type) => {
    const { world, app } = await setUp({}, type);
    const { headers, body } = await world.get(PATH, PODMAN);
    expect(digestIn(headers)).toBe(digestOf(body));
    expect(headers["content-type"]).toBe(type);
    const manifest = JSON.parse(body.toString());
    for (const [index, digest] of app.layers.entries()) {
      const own = `http://registry.example.org/v2/fedora/app/blobs/${digest}?after=mirrors`;
      expect(manifest.layers[index].urls).toEqual([urlOf(world, "jp", digest), urlOf(world, "de", digest), own]);
      delete manifest.layers[index].urls;
    }
    expect(manifest).toEqual(JSON.parse(app.bytes.toString()));
    const head = await world.get(PATH, PODMAN, "HEAD");
    expect([digestIn(head.headers), head.headers["content-length"]]).toEqual([digestOf(body), String(body.length)]);
  },
);

test("the URLs work, the last one too", async () => {
  const { world } = await setUp();
  const manifest = JSON.parse((await world.get(PATH, PODMAN)).body.toString());
  const [first, , own] = manifest.layers[0].urls;
  expect(await fetch(first).then((response) => response.text())).toBe("one");
  const { pathname, search } = new URL(own);
  expect((await world.get(pathname + search)).body.toString()).toBe("one");
});

test("a variant is served by its digest for ever: to others, after a restart, without the mirrors, HEAD and GET", async () => {
  const { world, app } = await setUp();
  const { headers, body } = await world.get(PATH, PODMAN);
  const path = `/v2/fedora/app/manifests/${digestIn(headers)}`;
  await world.restart();
  for (const mirror of Object.values(world.mirrors))
    mirror.fault = (_, response) => Boolean(response.writeHead(500).end());
  world.clock += 3_600_000;
  const again = await world.get(path, { "x-forwarded-for": GERMANY, "user-agent": "docker/20" });
  expect([again.status, again.headers["content-type"]]).toEqual([200, MEDIA_TYPE.schema2]);
  expect(again.body.equals(body)).toBe(true);
  expect((await world.get(path, {}, "HEAD")).headers["content-length"]).toBe(String(body.length));
  expect((await world.get(path, { "if-none-match": `"${digestIn(headers)}"` })).status).toBe(304);
  // The original is what its own digest means, and a variant belongs to the repositories of its original.
  expect((await world.get(`/v2/fedora/app/manifests/${app.digest}`, PODMAN)).body.equals(app.bytes)).toBe(true);
  await world.tree.push({ repository: "other", tag: "1", layers: [] });
  await world.refresh();
  expect((await world.get(`/v2/other/manifests/${digestIn(headers)}`)).status).toBe(404);
});

test("it is in the catalog before it is served, once for all who get the same", async () => {
  const { world, app } = await setUp();
  const ask = (address: string) => world.get(PATH, { ...PODMAN, "x-forwarded-for": address });
  const answers = await Promise.all(["203.0.113.7", "203.0.113.8", "203.0.113.7"].map(ask));
  const digests = new Set(answers.map(({ headers }) => digestIn(headers)));
  expect(digests.size).toBe(1);
  const rows = await world.tree.catalog.selectFrom("variant").select(["digest", "original"]).execute();
  expect(rows).toEqual([{ digest: [...digests][0], original: app.digest }]);
});

test("a catalog that cannot be written costs nothing but the urls", async () => {
  const { world, app } = await setUp();
  await world.tree.catalog.schema.dropTable("variant").execute();
  const { status, body } = await world.get(PATH, PODMAN);
  expect(status).toBe(200);
  expect(body.equals(app.bytes)).toBe(true);
});

test("while another process writes to the catalog, a variant waits and everybody else is answered", async () => {
  const { world, app } = await setUp();
  using writer = new DatabaseSync(world.tree.location);
  writer.exec("begin immediate");
  const variant = world.get(PATH, PODMAN);
  for (let request = 0; request < 5; request++) {
    expect(digestIn((await world.get(PATH, { "user-agent": "docker/20" })).headers)).toBe(app.digest);
  }
  writer.exec("commit");
  expect((await variant).headers["nearlayer-delivery"]).toBe(`urls; original=${app.digest}`);
});

test("a mirror that fails its check is not written", async () => {
  const { world } = await setUp();
  const { jp } = world.mirrors;
  if (jp !== undefined) jp.fault = (_, response) => Boolean(response.writeHead(404).end());
  const manifest = JSON.parse((await world.get(PATH, PODMAN)).body.toString());
  expect(manifest.layers[0].urls.map((url: string) => new URL(url).port)).toEqual([String(world.mirrors.de?.port), ""]);
});

describe("what was written once is not given out any more", () => {
  const firstOf = async (world: World, headers = PODMAN) => {
    const manifest = JSON.parse((await world.get(PATH, { ...headers })).body.toString());
    const port = new URL(manifest.layers[0].urls[0]).port;
    return Object.entries(world.mirrors).find(([, mirror]) => String(mirror.port) === port)?.[0];
  };
  const refuse = (world: World) => {
    const { jp } = world.mirrors;
    if (jp !== undefined) jp.fault = (_, response) => Boolean(response.writeHead(404).end());
  };
  /** Another client each time: one that asks again gets the original. */
  const neighbour = (host: number) => ({ ...PODMAN, "x-forwarded-for": `203.0.113.${host}` });

  test("when a probe of the mirror fails", async () => {
    const { world } = await setUp();
    expect(await firstOf(world, neighbour(1))).toBe("jp");
    refuse(world);
    await world.refresh();
    expect(await firstOf(world, neighbour(2))).toBe("de");
  });

  test("when the mirror was looked at because it had failed a client", async () => {
    const { world, app } = await setUp();
    expect(await firstOf(world, neighbour(1))).toBe("jp");
    world.clock += 3000;
    refuse(world);
    const { layers } = app;
    for (const _ of [1, 2]) await world.get(`/v2/fedora/app/blobs/${layers[0]}`);
    await expect.poll(() => firstOf(world, neighbour(world.clock++ % 200))).toBe("de");
  });

  test("when a minute has passed, and a look is due", async () => {
    const { world } = await setUp();
    expect(await firstOf(world, neighbour(1))).toBe("jp");
    refuse(world);
    expect(await firstOf(world, neighbour(2))).toBe("jp");
    world.clock += 60_000;
    await firstOf(world, neighbour(3));
    await expect.poll(() => firstOf(world, neighbour(world.clock++ % 200))).toBe("de");
  });
});

test.each<[string, string, Record<string, string>, Record<string, unknown>, boolean]>([
  ["auto, podman", PATH, PODMAN, {}, true],
  ["auto, skopeo", PATH, { ...PODMAN, "user-agent": "skopeo/1.9.3" }, {}, false],
  ["auto, docker", PATH, { ...PODMAN, "user-agent": "docker/20.10.24" }, {}, false],
  ["asked for", `${PATH}?delivery=urls`, {}, {}, true],
  ["declined", `${PATH}?delivery=redirect`, PODMAN, {}, false],
  ["configured", PATH, {}, { delivery: "urls" }, true],
  ["configured otherwise", PATH, PODMAN, { delivery: "redirect" }, false],
  ["of its own", PATH, {}, { deliveries: [{ repositories: ["fedora/*"], delivery: "urls" }] }, true],
  ["of another", PATH, {}, { deliveries: [{ repositories: ["x/*"], delivery: "urls" }] }, false],
  ["a host that is none", PATH, { ...PODMAN, host: "a b" }, {}, false],
])("%s", async (_, path, headers, mirrorlist, isVariant) => {
  const { world, app } = await setUp(mirrorlist);
  const response = await world.get(path, headers);
  expect(digestIn(response.headers) !== app.digest).toBe(isVariant);
  expect(String(response.body).includes('"urls"')).toBe(isVariant);
});

test("an image with a signature keeps its bytes, whether the signature is a referrer or a tag", async () => {
  const { world, app } = await setUp({ delivery: "urls" });
  await world.tree.push({
    repository: "fedora/app",
    tag: `${app.digest.replace(":", "-")}.sig`,
    layers: ["signature"],
  });
  const other = await world.tree.push({ repository: "fedora/app", tag: "41", layers: ["one"] });
  await world.refresh();
  const digestOfTag = async (tag: string) => digestIn((await world.get(`/v2/fedora/app/manifests/${tag}`)).headers);
  expect(await digestOfTag("40")).toBe(app.digest);
  expect(await digestOfTag("41")).not.toBe(other.digest);
  await world.tree.push({
    repository: "fedora/app",
    tag: "attestation",
    layers: ["statement"],
    mediaType: MEDIA_TYPE.ociManifest,
    subject: { mediaType: MEDIA_TYPE.schema2, digest: other.digest, size: other.bytes.length },
  });
  await world.refresh();
  expect(await digestOfTag("41")).toBe(other.digest);
});

test("our own URL is the configured one, else what trusted proxies say, and names have an end", async () => {
  const configured = await setUp({ publicUrl: "https://registry.example.org/" });
  const ownUrl = async (world: World, headers: Record<string, string>) => {
    const { body } = await world.get(PATH, { ...PODMAN, ...headers });
    return JSON.parse(body.toString()).layers[0].urls?.at(-1);
  };
  expect(await ownUrl(configured.world, { host: "evil.example.com" })).toMatch("https://registry.example.org/v2/");
  const proxied = await setUp();
  const forwarded = { "x-forwarded-proto": "https", "x-forwarded-host": "r.example.org" };
  expect(await ownUrl(proxied.world, forwarded)).toMatch("https://r.example.org/v2/");
  const untrusted = await setUp({ trustedProxies: [] });
  expect(await ownUrl(untrusted.world, forwarded)).toMatch("http://registry.example.org/v2/");
  for (let name = 0; name < 40; name++) await ownUrl(untrusted.world, { host: `h${name}.example.org` });
  expect(await ownUrl(untrusted.world, { host: "one-more.example.org" })).toBeUndefined();
  expect(await untrusted.world.tree.catalog.selectFrom("variant").select("digest").execute()).toHaveLength(16);
});
