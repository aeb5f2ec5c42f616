import { digestOf } from "@nearlayer/shared/digest";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { AMD64 } from "../testing/mirrors.ts";
import type { PushedImage } from "../testing/tree.ts";
import { createWorld, type World } from "../testing/world.ts";

const LAYER = digestOf("layer");
const BLOB = `/v2/fedora/app/blobs/${LAYER}`;
const MANIFEST = "/v2/fedora/app/manifests/40";
const DOCKER = { "user-agent": "docker/20.10.24" };
const PODMAN = { "user-agent": "containers/5.23.1 (github.com/containers/image)", host: "registry.example.org" };

let world: World;
let app: PushedImage;

beforeEach(async () => {
  world = await createWorld({ jp: { country: "JP" }, de: { country: "DE" } });
  onTestFinished(() => world[Symbol.asyncDispose]());
  app = await world.tree.push({ repository: "fedora/app", tag: "40", layers: ["layer"] });
  await world.tree.publish(AMD64, 1);
  await world.refresh();
});

/** Who a request for the layer is sent to. */
async function sentTo(headers: Record<string, string> = DOCKER): Promise<string | undefined> {
  return String((await world.get(BLOB, headers)).headers["nearlayer-mirror"]).split(";")[0];
}

async function inTurn<T>(count: number, action: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let index = 0; index < count; index++) results.push(await action());
  return results;
}

const getManifest = (headers: Record<string, string> = DOCKER) => world.get(MANIFEST, headers);

describe("a hundred clients behind one address", () => {
  test("are all sent to the nearest mirror, because each has asked for the manifest", async () => {
    await inTurn(100, getManifest);
    expect(new Set(await inTurn(100, sentTo))).toEqual(new Set(["jp"]));
    // The mirror fails them all: each asks once more, without a manifest in between.
    expect(new Set(await inTurn(100, sentTo))).toEqual(new Set(["de"]));
  });

  test("are known by their number when they come one after the other", async () => {
    const answers = await inTurn(30, async () => {
      await getManifest();
      return sentTo();
    });
    expect(answers.slice(7)).toEqual(Array(23).fill("jp"));
  });

  test("a HEAD of the manifest announces nothing", async () => {
    await getManifest();
    await world.get(MANIFEST, DOCKER, "HEAD");
    expect(await inTurn(3, sentTo)).toEqual(["jp", "de", "origin"]);
  });
});

test("who runs the whole pull again gets the next mirror, then the origin", async () => {
  const answers = await inTurn(3, async () => {
    await getManifest();
    return sentTo();
  });
  expect(answers).toEqual(["jp", "de", "origin"]);
});

test("who was given urls and comes again gets the original, and the mirror after the first that was written", async () => {
  const variant = await getManifest(PODMAN);
  expect(JSON.parse(variant.body.toString()).layers[0].urls[0]).toMatch(world.mirrors.jp?.url ?? "");
  const again = await getManifest(PODMAN);
  expect(again.body.equals(app.bytes)).toBe(true);
  expect(await sentTo(PODMAN)).toBe("de");
  await getManifest(PODMAN);
  expect(await sentTo(PODMAN)).toBe("origin");
  // Others, and who looks, get what they would have got.
  const others = { ...PODMAN, "x-forwarded-for": "203.0.113.8" };
  expect((await getManifest(others)).body.equals(variant.body)).toBe(true);
  expect((await world.get(`${MANIFEST}?delivery=urls`, PODMAN)).body.equals(variant.body)).toBe(true);
  // A minute later it is another pull.
  world.clock += 60_001;
  expect((await getManifest(PODMAN)).body.equals(variant.body)).toBe(true);
});

test("who asks for the rest is not sent to a mirror that would begin at the beginning", async () => {
  const { de } = world.mirrors;
  if (de !== undefined)
    de.fault = (_, response) => Boolean(response.writeHead(200, { "content-length": 5 }).end("layer"));
  await getManifest();
  expect(await sentTo()).toBe("jp");
  expect(await sentTo({ ...DOCKER, range: "bytes=3-" })).toBe("origin");
  expect(await sentTo({ "user-agent": "another" })).toBe("jp");
  expect(await sentTo({ "user-agent": "another" })).toBe("de");
});

test("a mirror that failed somebody is looked at again before the next one comes", async () => {
  await getManifest();
  expect(await sentTo()).toBe("jp");
  const { jp } = world.mirrors;
  if (jp !== undefined) jp.fault = (_, response) => Boolean(response.writeHead(404).end());
  world.clock += 3000;
  expect(await sentTo()).toBe("de");
  const isNoticed = async () => (await sentTo({ "user-agent": `docker/${Math.random()}` })) === "de";
  await expect.poll(isNoticed).toBe(true);
});
