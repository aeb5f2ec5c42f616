import { createHash } from "node:crypto";
import type { PushedImage } from "@nearlayer/mirrorlist/testing/tree";
import { MEDIA_TYPE } from "@nearlayer/shared/mediatype";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { randomBytes } from "../lib/images/layer.ts";
import { type TemporaryFolder, temporaryFolder } from "../lib/process/folder.ts";
import { until } from "../lib/process/until.ts";
import { type Serving, startServing } from "../lib/serving.ts";

const REPOSITORY = "conformance/pull";
const UNKNOWN = digestOf("nobody has this");
/** What the suite accepts, in this order. */
const ACCEPT = { accept: `${MEDIA_TYPE.ociIndex}, ${MEDIA_TYPE.ociManifest}` };

/**
 * The cases of the official suite that read, under its names and over the real server; `pnpm conformance` runs the
 * suite itself. What it leaves open for content that it has not pushed is checked here: bytes, lengths and digests.
 */
describe("OCI conformance", () => {
  const blob = randomBytes("a blob", 1024).toString("hex");
  let folder: TemporaryFolder;
  let serving: Serving;
  let image: PushedImage;
  let first: PushedImage;
  let second: PushedImage;

  beforeAll(async () => {
    folder = await temporaryFolder("conformance");
    serving = await startServing(folder.path);
    const oci = { repository: REPOSITORY, mediaType: MEDIA_TYPE.ociManifest };
    image = await serving.push({ ...oci, tag: "image", layers: [blob, "", "{}"] });
    const subject = { mediaType: MEDIA_TYPE.ociManifest, digest: image.digest, size: image.bytes.length };
    first = await serving.push({ ...oci, tag: "tagged-artifact1", layers: ["1"], subject, artifactType: "test/one" });
    second = await serving.push({ ...oci, tag: "tagged-artifact2", layers: ["2"], subject, artifactType: "test/two" });
    await serving.push({ ...oci, tag: "no-layers", layers: [] });
    await until(async () => (await get("/manifests/no-layers")).status === 200, { what: "the images to be served" });
  });
  afterAll(async () => {
    await serving?.[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  const get = (path: string, headers: Record<string, string> = {}, method = "GET") =>
    fetch(`${serving.url}/v2/${REPOSITORY}${path}`, { method, headers });
  /** The code of the specification's error JSON. */
  const codeOf = async (response: Response) =>
    ((await response.json()) as { errors: { code: string }[] }).errors.map(({ code }) => code);

  test("ping", async () => {
    const response = await fetch(`${serving.url}/v2/`);
    expect(response.status).toBe(200);
    expect(response.headers.get("docker-distribution-api-version")).toBe("registry/2.0");
  });

  test("empty/tag list", async () => {
    const response = await fetch(`${serving.url}/v2/conformance/empty/tags/list`);
    expect(response.status).toBe(404);
    expect(await codeOf(response)).toEqual(["NAME_UNKNOWN"]);
  });

  test("empty/referrers", async () => {
    const response = await get(`/referrers/${UNKNOWN}`);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe(MEDIA_TYPE.ociIndex);
    expect(await response.json()).toEqual({ schemaVersion: 2, mediaType: MEDIA_TYPE.ociIndex, manifests: [] });
  });

  describe("sha256 blobs", () => {
    test("get-missing", async () => {
      const response = await get(`/blobs/${UNKNOWN}`);
      expect(response.status).toBe(404);
      expect(await codeOf(response)).toEqual(["BLOB_UNKNOWN"]);
    });

    test.each([
      ["range 500-1499", "bytes=500-1499", 500, 1500],
      ["range 500-", "bytes=500-", 500, 2048],
      ["range -500", "bytes=-500", 1548, 2048],
      ["range 2000-5000", "bytes=2000-5000", 2000, 2048],
    ])("%s", async (_, range, start, end) => {
      const response = await get(`/blobs/${digestOf(blob)}`, { range });
      expect(response.status).toBe(206);
      expect(response.headers.get("content-range")).toBe(`bytes ${start}-${end - 1}/2048`);
      expect(response.headers.get("content-length")).toBe(String(end - start));
      expect(await response.text()).toBe(blob.slice(start, end));
    });

    test.each(["500-0", "5000-10000"])("range %s", async (range) => {
      const response = await get(`/blobs/${digestOf(blob)}`, { range: `bytes=${range}` });
      expect([response.status, response.headers.get("content-range")]).toEqual([416, "bytes */2048"]);
      await response.body?.cancel();
    });

    test.each([
      ["empty", ""],
      ["emptyJSON", "{}"],
    ])("%s", async (_, content) => {
      const response = await get(`/blobs/${digestOf(content)}`);
      expect([response.status, await response.text()]).toEqual([200, content]);
      expect(response.headers.get("content-length")).toBe(String(content.length));
    });
  });

  test("sha512 blobs/get-missing", async () => {
    const response = await get(`/blobs/sha512:${"0".repeat(128)}`);
    expect([response.status, await codeOf(response)]).toEqual([404, ["BLOB_UNKNOWN"]]);
  });

  test("tag-list: all of them, in order, and those after the last that the client has seen", async () => {
    const tags = ["image", "no-layers", "tagged-artifact1", "tagged-artifact2"];
    const whole = await get("/tags/list");
    expect([whole.status, await whole.json()]).toEqual([200, { name: REPOSITORY, tags }]);
    const after = await get("/tags/list?last=no-layers");
    expect(await after.json()).toEqual({ name: REPOSITORY, tags: tags.slice(2) });
    const page = await get("/tags/list?n=1&last=image");
    expect(await page.json()).toEqual({ name: REPOSITORY, tags: ["no-layers"] });
    expect(page.headers.get("link")).toBe(`</v2/${REPOSITORY}/tags/list?n=1&last=no-layers>; rel="next"`);
  });

  describe.each(["head", "pull"])("%s", (how) => {
    const method = how === "head" ? "HEAD" : "GET";
    const bytesOf = (content: Buffer | string) => (how === "head" ? "" : content.toString());

    test.each(["by-tag", "by-digest"])("manifest-%s", async (by) => {
      const response = await get(`/manifests/${by === "by-tag" ? "image" : image.digest}`, ACCEPT, method);
      expect(response.status).toBe(200);
      expect(Object.fromEntries(response.headers)).toMatchObject({
        "content-type": MEDIA_TYPE.ociManifest,
        "content-length": String(image.bytes.length),
        "docker-content-digest": image.digest,
      });
      expect(await response.text()).toBe(bytesOf(image.bytes));
    });

    test("blob", async () => {
      const response = await get(`/blobs/${digestOf(blob)}`, {}, method);
      expect(response.status).toBe(200);
      expect(Object.fromEntries(response.headers)).toMatchObject({
        "content-length": String(blob.length),
        "docker-content-digest": digestOf(blob),
      });
      expect(await response.text()).toBe(bytesOf(blob));
      const config = await get(`/blobs/${image.config}`, {}, method);
      expect([config.status, config.headers.get("docker-content-digest")]).toEqual([200, image.config]);
    });
  });

  describe("referrers", () => {
    const descriptorOf = ({ digest, bytes }: PushedImage, artifactType: string) => ({
      ...{ mediaType: MEDIA_TYPE.ociManifest, digest, size: bytes.length, artifactType },
    });

    test("all that refer to a subject", async () => {
      const response = await get(`/referrers/${image.digest}`);
      expect(response.headers.get("oci-filters-applied")).toBeNull();
      const { manifests } = (await response.json()) as { manifests: unknown[] };
      expect(manifests).toHaveLength(2);
      expect(manifests).toContainEqual(descriptorOf(first, "test/one"));
      expect(manifests).toContainEqual(descriptorOf(second, "test/two"));
    });

    test("filtered by artifactType", async () => {
      const response = await get(`/referrers/${image.digest}?artifactType=test%2Ftwo`);
      expect(response.headers.get("oci-filters-applied")).toBe("artifactType");
      expect(await response.json()).toMatchObject({ manifests: [descriptorOf(second, "test/two")] });
    });
  });

  test.each([
    ["missing-manifest/by-digest", UNKNOWN, 404, "MANIFEST_UNKNOWN"],
    ["missing-manifest/by-tag", "missing-tag", 404, "MANIFEST_UNKNOWN"],
    ["invalid-digest-format/manifest-get", "sha256:baddigeststring", 400, "DIGEST_INVALID"],
    ["sha512: an algorithm that nothing here has", `sha512:${"0".repeat(128)}`, 404, "MANIFEST_UNKNOWN"],
  ])("%s", async (_, reference, status, code) => {
    const response = await get(`/manifests/${reference}`, ACCEPT);
    expect([response.status, await codeOf(response)]).toEqual([status, [code]]);
  });

  test("push: disabled, and said so", async () => {
    const response = await get("/blobs/uploads/", {}, "POST");
    expect([response.status, await codeOf(response)]).toEqual([405, ["UNSUPPORTED"]]);
  });
});

function digestOf(content: string): string {
  return `sha256:${createHash("sha256").update(content).digest("hex")}`;
}
