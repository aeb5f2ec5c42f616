import { rm } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { digestOf } from "@nearlayer/shared/digest";
import { pubBlobName, pubBlobPath, storeBlobPath } from "@nearlayer/shared/tree";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { AMD64, ARM64 } from "../testing/mirrors.ts";
import type { PushedImage } from "../testing/tree.ts";
import { createWorld, GERMANY, type World } from "../testing/world.ts";

const LAYER = "the layer's bytes";
const DIGEST = digestOf(LAYER);
const PATH = `/v2/fedora/app/blobs/${DIGEST}`;

let world: World;
let app: PushedImage;

async function setUp(mirrors: Record<string, Record<string, unknown>>, mirrorlist: Record<string, unknown> = {}) {
  world = await createWorld(mirrors, mirrorlist);
  onTestFinished(() => world[Symbol.asyncDispose]());
  app = await world.tree.push({ repository: "fedora/app", tag: "40", layers: [LAYER, "other"] });
  await world.tree.push({ repository: "fedora/other", tag: "40", layers: [LAYER] });
  await world.tree.publish(AMD64, 1);
  await world.refresh();
}

const place = (mirror: string, platform = AMD64) => `${world.mirrors[mirror]?.url}${pubBlobName(platform, DIGEST)}`;
const mirrorOf = async (headers: Record<string, string> = {}) => {
  const { headers: answered } = await world.get(PATH, headers);
  return answered["nearlayer-mirror"];
};

describe("a layer", () => {
  beforeEach(() => setUp({ jp: { country: "JP" }, de: { country: "DE" } }));

  test("is answered by a redirect to the mirror of the client's country", async () => {
    const japan = await world.get(PATH);
    expect(japan).toMatchObject({
      status: 307,
      headers: { location: place("jp"), "cache-control": "no-store", "nearlayer-mirror": "jp; rank=country" },
    });
    const germany = await world.get(PATH, { "x-forwarded-for": GERMANY });
    expect(germany.headers.location).toBe(place("de"));
    expect(await fetch(japan.headers.location ?? "").then((r) => r.text())).toBe(LAYER);
  });

  test("has its head answered here, and the mirror is looked at once before the first redirect", async () => {
    expect(await world.get(PATH, {}, "HEAD")).toMatchObject({
      status: 200,
      headers: { "content-length": String(LAYER.length), "docker-content-digest": DIGEST, "accept-ranges": "bytes" },
    });
    await world.get(PATH);
    await world.get(PATH, { "x-forwarded-for": "203.0.113.8" });
    const looks = world.mirrors.jp?.requests.filter((line) => line.includes("/blobs/"));
    expect(looks).toEqual([`GET /${pubBlobName(AMD64, DIGEST)}`]);
  });

  test("asked for again within a minute goes to the next mirror, and then to the origin", async () => {
    expect(await mirrorOf()).toBe("jp; rank=country");
    expect(await mirrorOf()).toBe("de; rank=distance/far");
    expect(await mirrorOf()).toBe("origin; rank=failed");
    // Others are not affected: another client, another program, another image with the same layer.
    expect(await mirrorOf({ "x-forwarded-for": "203.0.113.8" })).toBe("jp; rank=country");
    expect(await mirrorOf({ "user-agent": "other" })).toBe("jp; rank=country");
    const { headers } = await world.get(`/v2/fedora/other/blobs/${DIGEST}`);
    expect(headers["nearlayer-mirror"]).toBe("jp; rank=country");
    world.clock += 60_001;
    expect(await mirrorOf()).toBe("jp; rank=country");
  });

  test("behind every mirror in a variant is streamed from the origin", async () => {
    const { status, headers, body } = await world.get(`${PATH}?after=mirrors`);
    expect([status, headers["nearlayer-mirror"], body.toString()]).toEqual([200, "origin; rank=tried", LAYER]);
  });

  test("that came after the mirror's generation goes elsewhere, what it has still goes there", async () => {
    const newer = await world.tree.push({ repository: "fedora/app", tag: "41", layers: ["newer"] });
    await world.refresh();
    const [digest] = newer.layers;
    const pending = await world.get(`/v2/fedora/app/blobs/${digest}`);
    expect([pending.status, pending.body.toString(), pending.headers["nearlayer-mirror"]]).toEqual([
      200,
      "newer",
      "origin; rank=none",
    ]);
    expect(await mirrorOf()).toBe("jp; rank=country");
    await world.tree.publish(AMD64, 2);
    await world.refresh();
    expect((await world.get(`/v2/fedora/app/blobs/${digest}`, { "user-agent": "x" })).status).toBe(307);
  });

  test("goes to nobody whose probe is too old", async () => {
    world.clock += 180_001;
    expect(await mirrorOf()).toBe("origin; rank=none");
  });

  test("and a configuration is served from here", async () => {
    const { status, headers, body } = await world.get(`/v2/fedora/app/blobs/${app.config}`);
    expect([status, headers["docker-content-digest"], digestOf(body)]).toEqual([200, app.config, app.config]);
    expect(headers["nearlayer-mirror"]).toBeUndefined();
  });
});

/** The answer of a mirror to a request for a part; `sent` cuts it short. */
function answerPart(response: ServerResponse, body: string, contentRange: string, sent = body.length) {
  response.writeHead(206, { "content-length": body.length, "content-range": contentRange });
  response.write(body.slice(0, sent));
  return sent === body.length ? response.end() : response;
}

describe("a mirror that fails its check is passed over", () => {
  test.each<[string, NonNullable<World["mirrors"][string]["fault"]>]>([
    ["absent", (_, response) => Boolean(response.writeHead(404).end())],
    ["forbidden", (_, response) => Boolean(response.writeHead(403).end())],
    ["broken", (_, response) => Boolean(response.writeHead(503).end())],
    ["redirecting", (_, response) => Boolean(response.writeHead(302, { location: "/elsewhere" }).end())],
    ["short", (_, response) => Boolean(response.writeHead(200, { "content-length": LAYER.length - 1 }).end())],
    ["of unknown length", (_, response) => Boolean(response.writeHead(200).end())],
    [
      "compressing",
      (_, response) =>
        Boolean(response.writeHead(200, { "content-length": LAYER.length, "content-encoding": "gzip" }).end()),
    ],
    [
      "of other bytes",
      (_, response) =>
        Boolean(answerPart(response, "x".repeat(LAYER.length), `bytes 0-${LAYER.length - 1}/${LAYER.length}`)),
    ],
    [
      "breaking off",
      (_, response) => Boolean(answerPart(response, LAYER, `bytes 0-${LAYER.length - 1}/${LAYER.length}`, 3).destroy()),
    ],
    ["resetting", (incoming) => Boolean(incoming.socket.destroy())],
    ["hanging", () => true],
  ])("%s", async (_, fault) => {
    await setUp({ jp: { country: "JP" }, de: { country: "DE" } });
    const { jp } = world.mirrors;
    if (jp !== undefined) jp.fault = fault;
    expect(await mirrorOf()).toBe("de; rank=distance/far");
    // What was found out is remembered, for others too.
    const before = jp?.requests.length;
    expect(await mirrorOf({ "x-forwarded-for": "203.0.113.8" })).toBe("de; rank=distance/far");
    expect(jp?.requests.length).toBe(before);
    if (jp !== undefined) jp.fault = undefined;
    world.clock += 60_001;
    expect(await mirrorOf()).toBe("jp; rank=country");
  });

  test("many who ask at once cause one check", async () => {
    await setUp({ jp: { country: "JP" } });
    await Promise.all(Array.from({ length: 20 }, (_, index) => mirrorOf({ "x-forwarded-for": `203.0.113.${index}` })));
    expect(world.mirrors.jp?.requests.filter((line) => line.includes("/blobs/"))).toHaveLength(1);
  });
});

test("a layer of two platforms is fetched under the one that the mirror is fresh in", async () => {
  await setUp({ jp: { country: "JP", platforms: ["linux-arm64"] } });
  await world.tree.push({ repository: "fedora/app", tag: "arm", layers: [LAYER], platforms: [ARM64] });
  await world.tree.publish(ARM64, 1);
  await world.refresh();
  expect((await world.get(PATH)).headers.location).toBe(place("jp", ARM64));
});

describe("the origin", () => {
  test.each([
    [undefined, 200, LAYER, undefined],
    ["bytes=4-8", 206, LAYER.slice(4, 9), `bytes 4-8/${LAYER.length}`],
    ["bytes=4-", 206, LAYER.slice(4), `bytes 4-${LAYER.length - 1}/${LAYER.length}`],
    ["bytes=-5", 206, LAYER.slice(-5), `bytes ${LAYER.length - 5}-${LAYER.length - 1}/${LAYER.length}`],
    ["lines=1-2", 200, LAYER, undefined],
    ["bytes=0-1,4-5", 200, LAYER, undefined],
  ])("streams with Range: %s", async (range, status, text, contentRange) => {
    await setUp({});
    const { headers, body, ...response } = await world.get(PATH, range === undefined ? {} : { range });
    expect([response.status, body.toString(), headers["content-range"]]).toEqual([status, text, contentRange]);
    expect(headers["content-length"]).toBe(String(text.length));
    expect(headers.etag).toBe(`"${DIGEST}"`);
  });

  test("a range behind the end is 416, with the size and the specification's error", async () => {
    await setUp({});
    const { status, headers, body } = await world.get(PATH, { range: "bytes=999-" });
    expect([status, headers["content-range"]]).toEqual([416, `bytes */${LAYER.length}`]);
    expect(JSON.parse(body.toString())).toMatchObject({ errors: [{ code: "UNSUPPORTED" }] });
    expect(headers["docker-content-digest"]).toBeUndefined();
  });

  test("is not asked again for what the client has", async () => {
    await setUp({});
    expect((await world.get(PATH, { "if-none-match": `W/"${DIGEST}"` })).status).toBe(304);
  });

  test("If-Range of another entity gets the whole", async () => {
    await setUp({});
    const ask = (etag: string) => world.get(PATH, { range: "bytes=0-0", "if-range": etag });
    expect((await ask(`"${DIGEST}"`)).status).toBe(206);
    expect((await ask('"other"')).status).toBe(200);
  });

  test("is a redirect where it is a URL", async () => {
    await setUp({}, { origin: "https://master.example.org/pub" });
    expect(await world.get(PATH)).toMatchObject({
      status: 307,
      headers: {
        location: `https://master.example.org/pub/${pubBlobName(AMD64, DIGEST)}`,
        "cache-control": "no-store",
      },
    });
  });

  test("reads the store where the tree has it not, and is 503 where neither has it", async () => {
    await setUp({});
    await rm(pubBlobPath(world.tree.root, AMD64, DIGEST));
    expect((await world.get(PATH)).body.toString()).toBe(LAYER);
    await rm(storeBlobPath(world.tree.root, DIGEST));
    expect((await world.get(PATH)).status).toBe(503);
  });
});
