import { digestOf } from "@nearlayer/shared/digest";
import { MEDIA_TYPE } from "@nearlayer/shared/mediatype";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { PushedImage } from "../testing/tree.ts";
import { createWorld, type World } from "../testing/world.ts";

let world: World;
let app: PushedImage;
let signature: PushedImage;

beforeAll(async () => {
  world = await createWorld({});
  app = await world.tree.push({ repository: "fedora/app", tag: "40", layers: ["one", "two"] });
  await world.tree.push({ repository: "fedora/app", tag: "41", layers: ["one"] });
  await world.tree.push({ repository: "zebra", tag: "1", layers: ["three"], mediaType: MEDIA_TYPE.ociManifest });
  signature = await world.tree.push({
    repository: "fedora/app",
    tag: "sig",
    layers: ["signed"],
    mediaType: MEDIA_TYPE.ociManifest,
    artifactType: "application/x-signature",
    subject: { mediaType: MEDIA_TYPE.schema2, digest: app.digest, size: app.bytes.length },
  });
  await world.refresh();
});
afterAll(() => world[Symbol.asyncDispose]());

test("the version check", async () => {
  const { status, headers, body } = await world.get("/v2/");
  expect([status, body.toString(), headers["docker-distribution-api-version"]]).toEqual([200, "{}", "registry/2.0"]);
});

describe("manifests", () => {
  test.each(["40", "digest"])("by %s: the exact bytes, HEAD and GET alike", async (by) => {
    const path = `/v2/fedora/app/manifests/${by === "digest" ? app.digest : by}`;
    const got = await world.get(path);
    expect(got.status).toBe(200);
    expect(got.body.equals(app.bytes)).toBe(true);
    expect(got.headers).toMatchObject({
      "content-type": MEDIA_TYPE.schema2,
      "content-length": String(app.bytes.length),
      "docker-content-digest": app.digest,
      etag: `"${app.digest}"`,
    });
    const head = await world.get(path, {}, "HEAD");
    const { date: _, ...headers } = got.headers;
    expect(head).toMatchObject({ status: 200, headers });
    expect(head.body).toHaveLength(0);
  });

  test.each([
    ["the digest", () => `"${app.digest}"`, 304],
    ["a list with it, weak", () => `"x", W/"${app.digest}"`, 304],
    ["anything", () => "*", 304],
    ["another", () => '"sha256:x"', 200],
  ])("If-None-Match with %s", async (_, header, status) => {
    const response = await world.get("/v2/fedora/app/manifests/40", { "if-none-match": header() });
    expect(response.status).toBe(status);
    expect(response.headers["docker-content-digest"]).toBe(app.digest);
    expect(response.body.length > 0).toBe(status === 200);
  });

  test("Accept does not change what a name means", async () => {
    const { headers } = await world.get("/v2/fedora/app/manifests/40", { accept: MEDIA_TYPE.ociManifest });
    expect(headers["docker-content-digest"]).toBe(app.digest);
  });
});

test.each([
  ["/v2/nowhere/manifests/1", 404, "NAME_UNKNOWN"],
  ["/v2/fedora/app/manifests/99", 404, "MANIFEST_UNKNOWN"],
  [`/v2/fedora/app/manifests/${digestOf("x")}`, 404, "MANIFEST_UNKNOWN"],
  [`/v2/fedora/app/blobs/${digestOf("x")}`, 404, "BLOB_UNKNOWN"],
  [`/v2/nowhere/blobs/${digestOf("one")}`, 404, "NAME_UNKNOWN"],
  ["/v2/fedora/app/blobs/sha256:abc", 400, "DIGEST_INVALID"],
  ["/v2/../../etc/passwd", 400, "NAME_INVALID"],
  ["/v2/a%zz/tags/list", 400, "NAME_INVALID"],
  ["/etc/passwd", 404, "UNSUPPORTED"],
  ["/v2/fedora/app/tags/list?n=x", 400, "PAGINATION_NUMBER_INVALID"],
])("%s is answered %d %s, as the specification writes errors", async (path, status, code) => {
  const response = await world.get(path);
  expect(response.status).toBe(status);
  expect(response.headers["content-type"]).toBe("application/json");
  expect(JSON.parse(response.body.toString())).toMatchObject({ errors: [{ code, message: expect.any(String) }] });
});

test("a manifest is known in its own repositories alone, a blob in all of them", async () => {
  expect((await world.get(`/v2/zebra/manifests/${app.digest}`)).status).toBe(404);
  expect((await world.get(`/v2/zebra/blobs/${digestOf("one")}`, {}, "HEAD")).status).toBe(200);
});

test("what another instance has shown already is waited for, and nothing else", async () => {
  await using own = await createWorld({});
  let misses = 0;
  own.onMiss = async () => {
    misses += 1;
    await own.refresh();
  };
  const first = await own.tree.push({ repository: "a", tag: "1", layers: ["one"] });
  expect((await own.get("/v2/a/tags/list")).status).toBe(200);
  const { digest, layers } = await own.tree.push({ repository: "a", tag: "2", layers: ["two"] });
  expect((await own.get(`/v2/a/blobs/${layers[0]}`, {}, "HEAD")).status).toBe(200);
  const { digest: third } = await own.tree.push({ repository: "a", tag: "3", layers: [] });
  expect((await own.get(`/v2/a/manifests/${third}`)).status).toBe(200);
  await own.tree.push({ repository: "a", tag: "4", layers: [] });
  expect((await own.get("/v2/a/manifests/4")).status).toBe(200);
  expect(misses).toBe(4);
  for (const known of [digest, first.digest, "2"]) expect((await own.get(`/v2/a/manifests/${known}`)).status).toBe(200);
  expect(misses).toBe(4);
});

test("writes are refused", async () => {
  const { status, headers } = await world.get("/v2/fedora/app/blobs/uploads/", {}, "POST");
  expect([status, headers.allow]).toEqual([405, "GET, HEAD"]);
});

describe("lists", () => {
  const read = async (path: string) => {
    const { headers, body } = await world.get(path);
    return { link: headers.link, body: JSON.parse(body.toString()) };
  };
  test("tags, whole and in pages", async () => {
    expect(await read("/v2/fedora/app/tags/list")).toEqual({
      link: undefined,
      body: { name: "fedora/app", tags: ["40", "41", "sig"] },
    });
    const page = await read("/v2/fedora/app/tags/list?n=2");
    expect(page.body.tags).toEqual(["40", "41"]);
    const next = /^<(.+)>; rel="next"$/.exec(String(page.link))?.[1] ?? "";
    expect(await read(next)).toMatchObject({ link: undefined, body: { tags: ["sig"] } });
    expect((await read("/v2/fedora/app/tags/list?n=0")).body.tags).toEqual([]);
  });
  test("repositories", async () => {
    expect((await read("/v2/_catalog?last=fedora/app")).body).toEqual({ repositories: ["zebra"] });
    expect((await read("/v2/_catalog?n=1")).link).toBe('</v2/_catalog?n=1&last=fedora%2Fapp>; rel="next"');
  });
});

describe("referrers", () => {
  const read = async (path: string) => {
    const { status, headers, body } = await world.get(path);
    return {
      status,
      type: headers["content-type"],
      filters: headers["oci-filters-applied"],
      index: JSON.parse(body.toString()),
    };
  };
  test("an index of what refers to the digest", async () => {
    expect(await read(`/v2/fedora/app/referrers/${app.digest}`)).toEqual({
      status: 200,
      type: MEDIA_TYPE.ociIndex,
      filters: undefined,
      index: {
        schemaVersion: 2,
        mediaType: MEDIA_TYPE.ociIndex,
        manifests: [
          {
            mediaType: MEDIA_TYPE.ociManifest,
            digest: signature.digest,
            size: signature.bytes.length,
            artifactType: "application/x-signature",
          },
        ],
      },
    });
  });
  test("filtered, elsewhere, and of the unknown", async () => {
    const filtered = await read(`/v2/fedora/app/referrers/${app.digest}?artifactType=other`);
    expect([filtered.filters, filtered.index.manifests]).toEqual(["artifactType", []]);
    expect((await read(`/v2/zebra/referrers/${app.digest}`)).index.manifests).toEqual([]);
    expect((await read(`/v2/fedora/app/referrers/${digestOf("x")}`)).index.manifests).toEqual([]);
  });
});
