import { openCatalog } from "@nearlayer/shared/catalog/open";
import { type Digest, digestOf } from "@nearlayer/shared/digest";
import { createLogger } from "@nearlayer/shared/log";
import { MEDIA_TYPE } from "@nearlayer/shared/mediatype";
import { expect, onTestFinished, test } from "vitest";
import { pack } from "../served/packed.ts";
import { AMD64, ARM64 } from "../testing/mirrors.ts";
import { pushIndex } from "../testing/push-index.ts";
import type { TestImage } from "../testing/tree.ts";
import { createWorld, GERMANY, type World } from "../testing/world.ts";
import { createVariants } from "../variants/variants.ts";

const PODMAN = { "user-agent": "containers/5.23.1 (github.com/containers/image)", host: "registry.example.org" };
const REPOSITORY = "fedora/app";
const manifestPath = (reference: string) => `/v2/${REPOSITORY}/manifests/${reference}`;

async function setUp(
  mirrors: Record<string, Record<string, unknown>> = { jp: { country: "JP" }, de: { country: "DE" } },
) {
  const world = await createWorld(mirrors);
  onTestFinished(() => world[Symbol.asyncDispose]());
  const push = (more: Partial<TestImage> & Pick<TestImage, "tag" | "layers">) =>
    world.tree.push({ repository: REPOSITORY, ...more });
  const children = [
    await push({ tag: "amd64", layers: ["shared", "amd"], platforms: [AMD64] }),
    await push({ tag: "arm64", layers: ["shared", "arm"], platforms: [ARM64] }),
  ];
  await world.tree.publish(AMD64, 1);
  await world.tree.publish(ARM64, 1);
  return { world, push, children };
}

const digestIn = (headers: Record<string, unknown>) => String(headers["docker-content-digest"]) as Digest;

/** What podman gets under a tag, checked as podman checks it. */
async function pull(world: World, tag: string, headers: Record<string, string> = PODMAN) {
  const response = await world.get(manifestPath(tag), headers);
  expect(response.status).toBe(200);
  expect(digestIn(response.headers)).toBe(digestOf(response.body));
  return { ...response, digest: digestIn(response.headers), document: JSON.parse(response.body.toString()) };
}

/** A child as the index names it: these bytes, that many, of that type. */
async function pullChild(world: World, entry: { digest: string; size: number; mediaType: string }, headers = PODMAN) {
  const { status, headers: answered, body } = await world.get(manifestPath(entry.digest), headers);
  expect([status, answered["content-type"]]).toEqual([200, entry.mediaType]);
  expect([digestOf(body), body.length]).toEqual([entry.digest, entry.size]);
  return JSON.parse(body.toString());
}

test.each([MEDIA_TYPE.ociIndex, MEDIA_TYPE.manifestList])(
  "%s names the variants of its children, and differs in nothing else",
  async (mediaType) => {
    const { world, children } = await setUp();
    const index = await pushIndex(world.tree, { repository: REPOSITORY, tag: "40", children, mediaType });
    await world.refresh();
    const { digest, document, headers } = await pull(world, "40");
    expect(headers["content-type"]).toBe(mediaType);
    expect(headers["nearlayer-delivery"]).toBe(`urls; original=${index.digest}`);
    expect(digest).not.toBe(index.digest);
    for (const [position, entry] of document.manifests.entries()) {
      const child = await pullChild(world, entry);
      const original = children[position];
      expect(child.layers.map(({ urls }: { urls: string[] }) => urls.length)).toEqual([3, 3]);
      for (const layer of child.layers) delete layer.urls;
      expect(child).toEqual(JSON.parse(original?.bytes.toString() ?? ""));
      Object.assign(entry, { digest: original?.digest, size: original?.bytes.length });
    }
    expect(document).toEqual(JSON.parse(index.bytes.toString()));
    const head = await world.get(manifestPath("40"), PODMAN, "HEAD");
    expect([digestIn(head.headers), head.headers["content-length"]]).toEqual([digest, headers["content-length"]]);
    // Who pins the original gets the original, child and index alike.
    for (const one of [index, ...children]) {
      expect((await world.get(manifestPath(one.digest), PODMAN)).body.equals(one.bytes)).toBe(true);
    }
  },
);

test("an index within an index is written too, and what is no image stays as it is", async () => {
  const { world, push, children } = await setUp();
  const artifact = await push({ tag: "chart", layers: ["c"], mediaType: MEDIA_TYPE.ociManifest, artifactType: "x/y" });
  const entry = { ...artifact, mediaType: MEDIA_TYPE.ociManifest };
  const inner = await pushIndex(world.tree, { repository: REPOSITORY, tag: "inner", children });
  await pushIndex(world.tree, { repository: REPOSITORY, tag: "outer", children: [inner, entry] });
  await world.refresh();
  const { document } = await pull(world, "outer");
  const [first, second] = document.manifests;
  expect(first.digest).not.toBe(inner.digest);
  expect(second).toMatchObject({ digest: artifact.digest, size: artifact.bytes.length });
  const image = await pullChild(world, (await pullChild(world, first)).manifests[0]);
  expect(image.layers[0].urls).toHaveLength(3);
  expect((await pull(world, "chart")).digest).toBe(artifact.digest);
});

test("index and children are there by digest after a restart, from another instance, without the mirrors", async () => {
  const { world, children } = await setUp();
  await pushIndex(world.tree, { repository: REPOSITORY, tag: "40", children });
  await world.refresh();
  const { body, digest, document } = await pull(world, "40");
  await world.restart();
  for (const mirror of Object.values(world.mirrors))
    mirror.fault = (_, response) => Boolean(response.writeHead(500).end());
  world.clock += 3_600_000;
  const docker = { "user-agent": "docker/20", "x-forwarded-for": GERMANY, host: "x" };
  expect((await world.get(manifestPath(digest), docker)).body.equals(body)).toBe(true);
  for (const entry of document.manifests) await pullChild(world, entry, docker);
  // Another process on the same catalog, which has answered nothing yet.
  const catalog = await openCatalog(world.tree.location);
  onTestFinished(() => catalog.destroy());
  const rows = await world.tree.catalog.selectFrom("manifest").select(["digest", "mediaType", "bytes"]).execute();
  const variants = createVariants(catalog, createLogger("test", "silent"));
  const served = rows.map(({ bytes, ...row }) => ({ ...row, ...pack(bytes) }));
  const found = await variants.find(digest, (original) => served.find((row) => row.digest === original));
  expect(found && Buffer.from(found.bytes).equals(body)).toBe(true);
});

test("an image that is pulled in all platforms is written down once, children and all", async () => {
  const { world, children } = await setUp();
  await pushIndex(world.tree, { repository: REPOSITORY, tag: "40", children });
  await world.refresh();
  const answers = await Promise.all(Array.from({ length: 8 }, () => pull(world, "40")));
  expect(new Set(answers.map(({ digest }) => digest)).size).toBe(1);
  expect(await world.tree.catalog.selectFrom("variant").select("digest").execute()).toHaveLength(3);
});

test.each<[string, (world: World, digests: Digest[], index: Digest) => Promise<unknown>]>([
  ["a signature of the index", (world, _, index) => tag(world, `${index.replace(":", "-")}.sig`)],
  ["a signature of a child", (world, [child = ""]) => tag(world, `${child.replace(":", "-")}.sig`)],
  ["an attestation of a child", (world, [, child = ""]) => tag(world, `${child.replace(":", "-")}.att`)],
  [
    "a list of referrers under the tag of the specification",
    (world, [child = ""]) => tag(world, child.replace(":", "-")),
  ],
  [
    "a referrer of a child",
    (world, [digest = "" as Digest]) => tag(world, "r", { mediaType: MEDIA_TYPE.schema2, digest, size: 1 }),
  ],
])("%s keeps every digest", async (_, sign) => {
  const { world, children } = await setUp();
  const index = await pushIndex(world.tree, { repository: REPOSITORY, tag: "40", children });
  await world.refresh();
  expect((await pull(world, "40")).digest).not.toBe(index.digest);
  await sign(
    world,
    children.map(({ digest }) => digest),
    index.digest,
  );
  await world.refresh();
  for (const path of ["40", "40?delivery=urls"]) expect((await pull(world, path)).digest).toBe(index.digest);
});

const tag = (world: World, name: string, subject?: NonNullable<TestImage["subject"]>) =>
  world.tree.push({
    ...{ repository: REPOSITORY, tag: name, layers: ["signature"], mediaType: MEDIA_TYPE.ociManifest },
    ...(subject === undefined ? {} : { subject }),
  });

test("tags that only look like a name after a digest sign nothing", async () => {
  const { world, children } = await setUp();
  const index = await pushIndex(world.tree, { repository: REPOSITORY, tag: "40", children });
  await tag(world, `${children[0]?.digest.replace(":", "-")}0`);
  await tag(world, `x${children[0]?.digest.replace(":", "-")}.sig`);
  await world.refresh();
  expect((await pull(world, "40")).digest).not.toBe(index.digest);
});

test.each<[string, Record<string, unknown>]>([
  ["that BuildKit has attested", { annotations: { "vnd.docker.reference.digest": digestOf("x") } }],
  ["that holds a child's own bytes", { data: "e30=" }],
])("an index %s stays as it is", async (_, entry) => {
  const { world, children } = await setUp();
  const index = await pushIndex(world.tree, { repository: REPOSITORY, tag: "40", children, entries: [entry] });
  await world.refresh();
  expect((await pull(world, "40")).digest).toBe(index.digest);
});

test("a referrer itself is never written", async () => {
  const { world, children } = await setUp();
  const subject = { mediaType: MEDIA_TYPE.schema2, digest: children[0]?.digest ?? digestOf(""), size: 1 };
  const signature = await tag(world, "signature", subject);
  await world.refresh();
  expect((await pull(world, "signature")).digest).toBe(signature.digest);
});

test.each<[string, Record<string, unknown>]>([
  ["private to its netblock", { country: "JP", private: true, netblocks: ["203.0.113.0/24"] }],
  ["for its country alone", { country: "JP", countries: ["JP"] }],
])("a mirror %s is named in a redirect, and in no manifest, which anybody may get hold of", async (_, jp) => {
  const { world, children } = await setUp({ jp, de: { country: "DE" } });
  const index = await pushIndex(world.tree, { repository: REPOSITORY, tag: "40", children });
  await world.refresh();
  // Its clients get redirects, for it is the best they have.
  expect((await pull(world, "40")).digest).toBe(index.digest);
  const layer = await world.get(`/v2/${REPOSITORY}/blobs/${children[0]?.layers[0]}`, PODMAN);
  expect(layer.headers["nearlayer-mirror"]).toMatch(/^jp; /);
  // Others are never led there: not by a redirect, not by a manifest, and not when everything else has failed.
  const elsewhere = { ...PODMAN, "x-forwarded-for": GERMANY };
  const { document } = await pull(world, "40", elsewhere);
  const child = await pullChild(world, document.manifests[0], elsewhere);
  const port = world.mirrors.jp?.port;
  expect(JSON.stringify(child)).not.toContain(`:${port}/`);
  expect(child.layers[0].urls).toHaveLength(2);
  const { de } = world.mirrors;
  if (de !== undefined) de.fault = (_, response) => Boolean(response.writeHead(404).end());
  world.clock += 600_000;
  await world.refresh();
  for (let attempt = 0; attempt < 4; attempt++) {
    const path = `/v2/${REPOSITORY}/blobs/${children[0]?.layers[1]}`;
    const { headers } = await world.get(path, { ...elsewhere, "user-agent": "docker/20" });
    expect(headers["nearlayer-mirror"]).toMatch(/^origin; /);
  }
});

test("only https is written where only https is allowed", async () => {
  const world = await createWorld({ jp: { country: "JP" } }, { scheme: "https-only" });
  onTestFinished(() => world[Symbol.asyncDispose]());
  const image = await world.tree.push({ repository: REPOSITORY, tag: "40", layers: ["one"] });
  await world.tree.publish(AMD64, 1);
  await world.refresh();
  expect((await pull(world, "40")).digest).toBe(image.digest);
  const layer = await world.get(`/v2/${REPOSITORY}/blobs/${image.layers[0]}`);
  expect(layer.headers["nearlayer-mirror"]).toBe("origin; rank=none");
});
