import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { jsonBlob } from "../lib/images/blob.ts";
import { type BuiltImage, manifestFor } from "../lib/images/image.ts";
import { pushBlob, pushImage, pushManifest } from "../lib/images/push.ts";
import { randomImages } from "../lib/images/samples.ts";
import { type Faults, type FaultyRegistry, startFaultyRegistry } from "../lib/peers/faulty-registry.ts";
import { type Registry, startRegistry } from "../lib/peers/registry.ts";
import { type TemporaryFolder, temporaryFolder } from "../lib/process/folder.ts";
import { expectOk } from "../lib/process/run.ts";
import { whyNot } from "../lib/requirements.ts";
import { createSite, publishedBlobs, type Site } from "../lib/site.ts";

const missing = await whyNot("registry");
const oci = "application/vnd.oci.image";

/** An artifact that says of itself what it belongs to, as a signature does. */
function artifact(
  name: string,
  subject?: { readonly digest: string; readonly bytes: Buffer; readonly mediaType: string },
) {
  const config = jsonBlob({});
  const layer = jsonBlob({ signature: name });
  const manifest = jsonBlob({
    schemaVersion: 2,
    mediaType: `${oci}.manifest.v1+json`,
    artifactType: "application/vnd.example.signature",
    config: { mediaType: "application/vnd.oci.empty.v1+json", digest: config.digest, size: config.bytes.length },
    layers: [{ mediaType: "application/json", digest: layer.digest, size: layer.bytes.length }],
    ...(subject && {
      subject: { mediaType: subject.mediaType, digest: subject.digest, size: subject.bytes.length },
    }),
  });
  return { ...manifest, mediaType: `${oci}.manifest.v1+json`, config, layer };
}

async function pushArtifact(url: string, repository: string, reference: string, pushed: ReturnType<typeof artifact>) {
  const base = `${url}/v2/${repository}`;
  await pushBlob(base, pushed.config);
  await pushBlob(base, pushed.layer);
  await pushManifest(base, reference, pushed);
}

const tagOf = (digest: string, suffix = "") => `sha256-${digest.slice(7)}${suffix}`;
const noarch = (pushed: ReturnType<typeof artifact>) => [
  `noarch ${pushed.config.digest}`,
  `noarch ${pushed.layer.digest}`,
];
const without =
  (...digests: string[]) =>
  (blob: string) =>
    !digests.some((digest) => blob.endsWith(digest));

describe.skipIf(missing !== undefined)(`walking a source (${missing ?? "docker-registry"})`, () => {
  let folder: TemporaryFolder;
  let registry: Registry;
  let proxy: FaultyRegistry;
  let images: BuiltImage[];
  let round = 0;

  beforeAll(async () => {
    folder = await temporaryFolder("walk");
    registry = await startRegistry({ dir: await folder.at("registry") });
    proxy = await startFaultyRegistry({ backend: registry.url });
    images = await Array.fromAsync(randomImages({ seed: "walk", count: 6, kind: "oci-index", layerSize: 2000 }));
  });
  afterAll(async () => {
    await proxy?.[Symbol.asyncDispose]();
    await registry?.stop();
    await folder?.[Symbol.asyncDispose]();
  });

  const image = (index: number): BuiltImage => {
    const found = images[index];
    if (found === undefined) throw new Error(`no image ${index}`);
    return found;
  };
  const newSite = async (source: Record<string, unknown>): Promise<Site> =>
    createSite(await folder.at(`site${++round}`), { url: registry.url, ...source });
  /** A site that asks through the proxy, which answers some requests itself. */
  const proxied = async (source: Record<string, unknown>, faults: Faults): Promise<Site> => {
    proxy.forget();
    proxy.setFaults(faults);
    return newSite({ url: proxy.url, ...source });
  };

  test("a repository that the registry lists without knowing a tag of it is no failure, unless somebody names it", async () => {
    await pushImage(registry.url, "emptied/a", "1", image(0));
    await pushBlob(`${registry.url}/v2/emptied/b`, jsonBlob({}));
    const site = await newSite({ repositories: ["emptied/*"] });
    expect(await site.sync()).toMatchObject({ exitCode: 0, report: { checked: 1, failures: [] } });
    const named = await newSite({ repositories: ["emptied/*", "emptied/b"] });
    expect((await named.sync()).report.failures).toMatchObject([{ repository: "emptied/b", code: "NOT_FOUND" }]);
  });

  test("an unchanged check costs one request per tag and the listings, and a pushed tag only what is new", async () => {
    for (const tag of ["1", "2", "3"]) await pushImage(registry.url, "count/a", tag, image(0));
    await pushImage(registry.url, "count/b", "1", image(1));
    const site = await newSite({ repositories: ["count/*"] });
    expectOk(await site.sync());

    let mark = await registry.log.mark();
    expect((await site.sync()).report).toMatchObject({ checked: 4, unchanged: 4 });
    let requests = await registry.log.entries(mark);
    expect(requests.map(({ method, uri, status }) => `${method} ${uri} ${status}`).sort()).toEqual([
      "GET /v2/_catalog?n=1000 200",
      "GET /v2/count/a/manifests/1 304",
      "GET /v2/count/a/manifests/2 304",
      "GET /v2/count/a/manifests/3 304",
      "GET /v2/count/a/tags/list?n=1000 200",
      "GET /v2/count/b/manifests/1 304",
      "GET /v2/count/b/tags/list?n=1000 200",
    ]);

    // Image 1 is known from the other repository: not even its manifests' children are fetched again.
    await pushImage(registry.url, "count/a", "3", image(1));
    mark = await registry.log.mark();
    expect((await site.sync()).report.updated).toEqual(["count/a:3"]);
    requests = await registry.log.entries(mark);
    expect(requests.filter(({ kind }) => kind === "blob")).toEqual([]);
    expect(requests.filter(({ kind, status }) => kind === "manifest" && status === 200).map(({ uri }) => uri)).toEqual([
      "/v2/count/a/manifests/3",
    ]);
  });

  test("`check: head` asks with HEAD, and `immutableTags` not at all", async () => {
    for (const tag of ["v1.0", "latest"]) await pushImage(registry.url, "head/a", tag, image(0));
    const site = await newSite({ repositories: ["head/a"], check: "head", immutableTags: ["v*"] });
    expectOk(await site.sync());
    let mark = await registry.log.mark();
    expect((await site.sync()).report).toMatchObject({ checked: 2, unchanged: 2 });
    const manifests = async () =>
      (await registry.log.entries(mark)).filter(({ kind }) => kind === "manifest").map((r) => `${r.method} ${r.uri}`);
    expect(await manifests()).toEqual(["HEAD /v2/head/a/manifests/latest"]);

    await pushImage(registry.url, "head/a", "latest", image(1));
    mark = await registry.log.mark();
    expect((await site.sync()).report.updated).toEqual(["head/a:latest"]);
    expect((await manifests()).slice(0, 2)).toEqual([
      "HEAD /v2/head/a/manifests/latest",
      "GET /v2/head/a/manifests/latest",
    ]);
  });

  test("platforms that are not wanted are left out, and come when they are wanted", async () => {
    await pushImage(registry.url, "platforms/a", "1", image(0));
    const site = await newSite({ repositories: ["platforms/a"], platforms: ["linux-amd64"], immutableTags: ["**"] });
    expectOk(await site.sync());
    const amd64 = publishedBlobs({ manifests: [manifestFor(image(0), "amd64")] });
    expect(await site.published()).toEqual(amd64);
    expect(site.manifests("platforms/a").sort()).toEqual(
      [image(0).digest, manifestFor(image(0), "amd64").digest].sort(),
    );

    await site.configure({ platforms: ["**"] });
    const mark = await registry.log.mark();
    expectOk(await site.sync());
    expect(await site.published()).toEqual(publishedBlobs(image(0)));
    const asked = (await registry.log.entries(mark)).filter(({ kind }) => kind === "manifest").map(({ uri }) => uri);
    expect(asked).toEqual([`/v2/platforms/a/manifests/${manifestFor(image(0), "arm64").digest}`]);
    expect((await site.sync()).report).toMatchObject({ unchanged: 1, updated: [] });
  });

  test("an image for another platform alone is left out, without an error", async () => {
    const single = await Array.fromAsync(
      randomImages({ seed: "single", count: 1, kind: "docker-manifest", architectures: ["s390x"], layerSize: 100 }),
    );
    for (const each of single) await pushImage(registry.url, "platforms/single", "1", each);
    const site = await newSite({ repositories: ["platforms/single"], platforms: ["linux-amd64"] });
    expectOk(await site.sync());
    expect(site.tags()).toEqual({});
    expect(await site.published()).toEqual([]);
  });

  test("pages are followed, whether their links are relative, absolute, or name the registry's inner host", async () => {
    for (const name of ["a", "b", "c"]) await pushImage(registry.url, `paged/${name}`, "1", image(0));
    for (const tag of ["2", "3"]) await pushImage(registry.url, "paged/a", tag, image(0));
    const page = (names: Record<string, unknown>, link?: string) => ({
      kind: "answer" as const,
      status: 200,
      headers: { "content-type": "application/json", ...(link && { link: `<${link}>; rel="next"` }) },
      body: JSON.stringify(names),
    });
    const pages: Record<string, ReturnType<typeof page>> = {
      "/v2/_catalog?n=1000": page({ repositories: ["paged/a"] }, "/v2/_catalog?last=a"),
      "/v2/_catalog?last=a": page({ repositories: ["paged/b"] }, `${proxy.url}/v2/_catalog?last=b`),
      "/v2/_catalog?last=b": page({ repositories: ["paged/c"] }),
      "/v2/paged/a/tags/list?n=1000": page({ tags: ["1"] }, "?last=1"),
      "/v2/paged/a/tags/list?last=1": page({ tags: ["2"] }, "http://inner.invalid:5000/v2/paged/a/tags/list?last=2"),
      "/v2/paged/a/tags/list?last=2": page({ tags: ["3"] }),
    };
    const site = await proxied({}, ({ path }) => pages[path]);
    expectOk(await site.sync());
    expect(Object.keys(site.tags())).toEqual(["paged/a:1", "paged/a:2", "paged/a:3", "paged/b:1", "paged/c:1"]);
  });

  test.each([401, 404, 405])("a registry that answers %d for a catalog is read by name", async (status) => {
    await pushImage(registry.url, "named/a", "1", image(0));
    const noCatalog: Faults = ({ path }) =>
      path.startsWith("/v2/_catalog")
        ? { kind: "answer", status, body: '{"errors":[{"code":"UNSUPPORTED"}]}' }
        : undefined;
    const site = await proxied({ repositories: ["named/a", "other/*"] }, noCatalog);
    const { exitCode, report } = await site.sync();
    expect(Object.keys(site.tags())).toEqual(["named/a:1"]);
    // What the pattern stands for, nobody knows: that is said.
    expect(exitCode).toBe(2);
    expect(report.failures).toMatchObject([{ repository: "other/*", message: expect.stringContaining(`${status}`) }]);

    await site.configure({ repositories: ["named/a"] });
    expectOk(await site.sync());
    await site.configure({ repositories: ["**"] });
    const refused = await site.sync();
    expect(refused.exitCode).toBe(3);
    expect(refused.stderr).toContain("lists no repositories");
    expect(refused.stderr).toContain("hint: name each repository in full in source.repositories");
  });

  test("cosign's tags and fallback tags go with their image, whatever the tag globs say", async () => {
    const repository = "signed/cosign";
    const [carried, left] = [image(2), image(3)];
    const child = manifestFor(carried, "arm64");
    await pushImage(registry.url, repository, "1.0", carried);
    await pushImage(registry.url, repository, "dev", left);
    const signature = artifact("of the index");
    const ofSignature = artifact("of the signature");
    const ofLeft = artifact("of what is left out");
    const attestation = artifact("of the child");
    const viaIndex = artifact("in the fallback index", carried);
    await pushArtifact(registry.url, repository, tagOf(carried.digest, ".sig"), signature);
    await pushArtifact(registry.url, repository, tagOf(signature.digest, ".sig"), ofSignature);
    await pushArtifact(registry.url, repository, tagOf(left.digest, ".sig"), ofLeft);
    await pushArtifact(registry.url, repository, tagOf(child.digest, ".att"), attestation);
    await pushArtifact(registry.url, repository, viaIndex.digest, viaIndex);
    const fallback = jsonBlob({
      schemaVersion: 2,
      mediaType: `${oci}.index.v1+json`,
      manifests: [{ mediaType: viaIndex.mediaType, digest: viaIndex.digest, size: viaIndex.bytes.length }],
    });
    await pushManifest(`${registry.url}/v2/${repository}`, tagOf(carried.digest), {
      ...fallback,
      mediaType: `${oci}.index.v1+json`,
    });

    const site = await newSite({ repositories: [repository], tags: ["1.*"], platforms: ["linux-*"] });
    expectOk(await site.sync());
    const expected = {
      [`${repository}:1.0`]: carried.digest,
      [`${repository}:${tagOf(carried.digest)}`]: fallback.digest,
      [`${repository}:${tagOf(carried.digest, ".sig")}`]: signature.digest,
      [`${repository}:${tagOf(signature.digest, ".sig")}`]: ofSignature.digest,
      [`${repository}:${tagOf(child.digest, ".att")}`]: attestation.digest,
    };
    expect(site.tags()).toEqual(expected);
    expect(await site.published()).toEqual(
      [
        ...new Set([...publishedBlobs(carried), ...[signature, ofSignature, attestation, viaIndex].flatMap(noarch)]),
      ].sort(),
    );
    expect((await site.sync()).report).toMatchObject({ checked: 5, unchanged: 5 });

    // One tag by name brings what belongs to it.
    const other = await newSite({ repositories: [repository] });
    expectOk(await other.sync([`${repository}:1.0`]));
    expect(other.tags()).toEqual(expected);
  });

  test("what the configuration leaves out does not come because somebody names it", async () => {
    for (const name of ["left/in", "left/out"]) await pushImage(registry.url, name, "1", image(0));
    await pushImage(registry.url, "left/in", "dev", image(1));
    const site = await newSite({ repositories: ["left/*"], exclude: ["left/out"], excludeTags: ["dev"] });
    const mark = await registry.log.mark();
    const { exitCode, report } = await site.sync(["left/out", "left/out:1", "left/in:dev", "left/in:1"]);
    expect(exitCode).toBe(2);
    expect(report.updated).toEqual(["left/in:1"]);
    expect(report.failures.map(({ repository, tag, code }) => [repository, tag, code])).toEqual([
      ["left/out", undefined, "USAGE"],
      ["left/out", undefined, "USAGE"],
      ["left/in", "dev", "USAGE"],
    ]);
    expect((await registry.log.entries(mark)).filter(({ uri }) => /left\/out|dev/.test(uri))).toEqual([]);
  });

  test("a blob that one repository has lost comes from another that has it", async () => {
    for (const name of ["lost/a", "lost/b"]) await pushImage(registry.url, name, "1", image(0));
    const lost = manifestFor(image(0), "amd64").layers[0]?.digest;
    await fetch(`${registry.url}/v2/lost/a/blobs/${lost}`, { method: "DELETE" });
    const site = await newSite({ repositories: ["lost/a", "lost/b"] });
    expectOk(await site.sync());
    expect(await site.published()).toEqual(publishedBlobs(image(0)));
  });

  test("referrers that only the API knows go with their image, and new ones come later", async () => {
    const repository = "signed/api";
    const signed = image(4);
    await pushImage(registry.url, repository, "1", signed);
    const [first, second, ofFirst] = [artifact("first", signed), artifact("second", signed), artifact("third")];
    const nested = artifact("of the first", first);
    for (const each of [first, second, ofFirst, nested])
      await pushArtifact(registry.url, repository, each.digest, each);
    const answers = new Map<string, ReturnType<typeof artifact>[]>([
      // What does not say itself that it belongs here is not taken.
      [signed.digest, [first, ofFirst]],
      [first.digest, [nested]],
    ]);
    const api: Faults = ({ path }) => {
      const [, digest, last] = /\/referrers\/(sha256:[0-9a-f]{64})(\?last)?/.exec(path) ?? [];
      if (digest === undefined) return undefined;
      const found = answers.get(digest) ?? [];
      // A page each.
      const shown = last === undefined ? found.slice(0, 1) : found.slice(1);
      const manifests = shown.map(({ digest, bytes, mediaType }) => ({ mediaType, digest, size: bytes.length }));
      const headers = {
        "content-type": `${oci}.index.v1+json`,
        ...(found.length > 1 && last === undefined && { link: `<${path}?last>; rel="next"` }),
      };
      return { kind: "answer", status: 200, headers, body: JSON.stringify({ schemaVersion: 2, manifests }) };
    };
    const site = await proxied({ repositories: [repository] }, api);
    expectOk(await site.sync());
    const carried = [signed.digest, ...signed.manifests.map(({ digest }) => digest), first.digest, nested.digest];
    expect(site.manifests(repository).sort()).toEqual(carried.sort());
    expect(await site.published()).toEqual(
      [...new Set([...publishedBlobs(signed), ...noarch(first), ...noarch(nested)])].sort(),
    );
    expect((await site.sync()).report).toMatchObject({ unchanged: 1, fetched: { blobs: 0 } });

    answers.set(signed.digest, [first, second]);
    expectOk(await site.sync());
    expect(site.manifests(repository).sort()).toEqual([...carried, second.digest].sort());
    expect(site.tags()).toEqual({ [`${repository}:1`]: signed.digest });

    await site.configure({ referrers: "never" });
    proxy.forget();
    expectOk(await site.sync());
    expect(proxy.requests.filter(({ path }) => path.includes("/referrers/"))).toEqual([]);
  });

  test("a registry without a referrers API is asked once in a run, and not for unchanged images", async () => {
    for (const tag of ["1", "2"]) await pushImage(registry.url, "unasked/a", tag, image(Number(tag)));
    const site = await newSite({ repositories: ["unasked/a"] });
    const mark = await registry.log.mark();
    expectOk(await site.sync());
    const asked = async () =>
      (await registry.log.entries(mark)).filter(({ uri }) => uri.includes("/referrers/")).length;
    expect(await asked()).toBe(1);
    expectOk(await site.sync());
    expect(await asked()).toBe(1);
  });

  test("an attestation of a platform that is left out is left out too", async () => {
    const [amd64, arm64] = [manifestFor(image(5), "amd64"), manifestFor(image(5), "arm64")];
    const attestations = [amd64, arm64].map((manifest) => ({ manifest, ...artifact(`about ${manifest.digest}`) }));
    await pushImage(registry.url, "attested/a", "parts", image(5));
    for (const each of attestations) await pushArtifact(registry.url, "attested/a", each.digest, each);
    const index = jsonBlob({
      schemaVersion: 2,
      mediaType: `${oci}.index.v1+json`,
      manifests: [
        ...[amd64, arm64].map(({ digest, bytes, mediaType, platform }) => ({
          ...{ mediaType, digest, size: bytes.length, platform },
        })),
        ...attestations.map(({ digest, bytes, mediaType, manifest }) => ({
          ...{ mediaType, digest, size: bytes.length, platform: { os: "unknown", architecture: "unknown" } },
          annotations: { "vnd.docker.reference.digest": manifest.digest },
        })),
      ],
    });
    await pushManifest(`${registry.url}/v2/attested/a`, "1", { ...index, mediaType: `${oci}.index.v1+json` });
    const site = await newSite({ repositories: ["attested/a"], tags: ["1"], platforms: ["linux-amd64"] });
    expectOk(await site.sync());
    const [ofAmd64, ofArm64] = attestations.map(({ layer }) => layer.digest);
    const blobs = await site.published();
    expect(blobs).toContain(`noarch ${ofAmd64}`);
    expect(blobs).not.toContain(`noarch ${ofArm64}`);
    expect(
      blobs.filter(without(...attestations.flatMap(({ config, layer }) => [config.digest, layer.digest]))),
    ).toEqual(publishedBlobs({ manifests: [amd64] }));
  });
});
