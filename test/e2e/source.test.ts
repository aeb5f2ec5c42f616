import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type BuiltImage, manifestFor } from "../lib/images/image.ts";
import { pushImage } from "../lib/images/push.ts";
import { randomImages } from "../lib/images/samples.ts";
import { type FaultyRegistry, type SeenRequest, startFaultyRegistry } from "../lib/peers/faulty-registry.ts";
import { type Registry, startRegistry } from "../lib/peers/registry.ts";
import { type TemporaryFolder, temporaryFolder } from "../lib/process/folder.ts";
import { expectOk } from "../lib/process/run.ts";
import { whyNot } from "../lib/requirements.ts";
import { createSite, publishedBlobs, type Site } from "../lib/site.ts";

const missing = await whyNot("registry");
const RETRIES = 2;
const SIZE = 256 << 10;

/** A source that does everything wrong: each image fails or recovers alone, by name, and nothing half is to be seen. */
describe.skipIf(missing !== undefined)(
  `a hostile source (${missing ?? "docker-registry behind a faulty proxy"})`,
  () => {
    let folder: TemporaryFolder;
    let registry: Registry;
    let proxy: FaultyRegistry;
    let site: Site;
    let before: BuiltImage;
    let bad: BuiltImage;
    let good: BuiltImage;
    let round = 0;

    beforeAll(async () => {
      folder = await temporaryFolder("source");
      registry = await startRegistry({ dir: await folder.at("registry") });
      proxy = await startFaultyRegistry({ backend: registry.url });
    });
    afterAll(async () => {
      await proxy?.[Symbol.asyncDispose]();
      await registry?.stop();
      await folder?.[Symbol.asyncDispose]();
    });

    /** Each test has repositories of its own: a tag with a good image behind it, then a new one, and a neighbour. */
    beforeEach(async () => {
      round += 1;
      const images = await Array.fromAsync(randomImages({ seed: `source ${round}`, count: 3, layerSize: SIZE }));
      [before, bad, good] = images as [BuiltImage, BuiltImage, BuiltImage];
      const repositories = [`round${round}/bad`, `round${round}/good`];
      site = await createSite(await folder.at(`site${round}`), { url: proxy.url, repositories, retries: RETRIES });
      await pushImage(registry.url, `round${round}/bad`, "1", before);
      await pushImage(registry.url, `round${round}/good`, "0", before);
      expectOk(await site.sync());
      await pushImage(registry.url, `round${round}/bad`, "1", bad);
      await pushImage(registry.url, `round${round}/good`, "1", good);
      proxy.forget();
    });
    afterEach(() => proxy.setFaults(() => undefined));

    const layerOf = (image: BuiltImage) => {
      const [layer] = manifestFor(image, "amd64").layers;
      if (layer === undefined) throw new Error("an image without layers");
      return layer;
    };
    const asked = (part: string) =>
      proxy.requests.filter(({ method, path }) => method === "GET" && path.includes(part));
    const isFor = (part: string) => (request: SeenRequest) => request.path.includes(part);

    /** The bad image has failed by its name, its tag and the neighbours are right. */
    async function expectOnlyBadFailed(code: string): Promise<void> {
      const { exitCode, report } = await site.sync();
      expect(exitCode).toBe(2);
      expect(report.failures).toMatchObject([{ repository: `round${round}/bad`, tag: "1", code }]);
      expect(report.updated).toEqual([`round${round}/good:1`]);
      expect(site.tags()).toEqual({
        [`round${round}/bad:1`]: before.digest,
        [`round${round}/good:0`]: before.digest,
        [`round${round}/good:1`]: good.digest,
      });
      expect(await site.published()).toEqual([...publishedBlobs(before), ...publishedBlobs(good)].sort());
    }

    async function expectAllGood(): Promise<void> {
      const result = await site.sync();
      expectOk(result);
      expect(result.report.failures).toEqual([]);
      expect(site.tags()[`round${round}/bad:1`]).toBe(bad.digest);
      expect(await site.published()).toEqual(
        [...publishedBlobs(before), ...publishedBlobs(bad), ...publishedBlobs(good)].sort(),
      );
    }

    test.each([
      ["truncates a layer", { kind: "truncate", after: 1000 }, "SOURCE_BROKE_OFF"],
      ["corrupts a layer", { kind: "corrupt" }, "DIGEST_MISMATCH"],
      ["stalls in a layer", { kind: "stall", after: 1000 }, "SOURCE_BROKE_OFF"],
      ["closes the connection", { kind: "reset" }, "SOURCE_BROKE_OFF"],
      ["answers 500", { kind: "answer", status: 500 }, "SOURCE_REFUSED"],
    ] as const)("that always %s is asked within bounds, and again by the next run", async (_, fault, code) => {
      const { digest } = layerOf(bad);
      proxy.setFaults((request) => (isFor(digest)(request) ? fault : undefined));
      await expectOnlyBadFailed(code);
      expect(asked(digest)).toHaveLength(1 + RETRIES);
      proxy.setFaults(() => undefined);
      await expectAllGood();
    });

    test.each([
      ["truncates", { kind: "truncate", after: 1000 }],
      ["corrupts", { kind: "corrupt" }],
      ["closes the connection to", { kind: "reset" }],
      ["answers 502 to", { kind: "answer", status: 502 }],
    ] as const)("that %s each manifest and blob once is no reason to fail", async (_, fault) => {
      const isContent = isFor("sha256:");
      proxy.setFaults((request) => (isContent(request) && request.before === 0 ? fault : undefined));
      await expectAllGood();
    });

    test("a layer that broke off is asked for from there on", async () => {
      const { digest, bytes } = layerOf(bad);
      proxy.setFaults(({ path, before }) =>
        path.includes(digest) && before === 0 ? { kind: "truncate", after: 100_000 } : undefined,
      );
      await expectAllGood();
      const ranges = asked(digest).map(({ headers }) => headers.range);
      expect(ranges).toEqual([undefined, expect.stringMatching(/^bytes=\d+-$/)]);
      const offset = Number(/\d+/.exec(String(ranges[1]))?.[0]);
      expect(offset).toBeGreaterThan(0);
      expect(offset).toBeLessThan(bytes.length);
    });

    test("a blob that the source has lost fails that image, at once", async () => {
      const { digest } = layerOf(bad);
      proxy.setFaults((request) => (isFor(digest)(request) ? { kind: "answer", status: 404 } : undefined));
      await expectOnlyBadFailed("NOT_FOUND");
      expect(asked(digest)).toHaveLength(1);
      proxy.setFaults(() => undefined);
      await expectAllGood();
    });

    test("a manifest that is not what its index says fails that image", async () => {
      const { digest } = manifestFor(bad, "arm64");
      proxy.setFaults((request) => (isFor(digest)(request) ? { kind: "corrupt" } : undefined));
      await expectOnlyBadFailed("DIGEST_MISMATCH");
      expect(asked(digest)).toHaveLength(1 + RETRIES);
    });

    test("schema 1 is refused by name, and stops nobody", async () => {
      const body = JSON.stringify({ schemaVersion: 1, name: "bad", tag: "1", fsLayers: [], history: [] });
      const headers = {
        "content-type": "application/vnd.docker.distribution.manifest.v1+prettyjws",
        "docker-content-digest": before.digest,
      };
      proxy.setFaults((request) =>
        isFor(`round${round}/bad/manifests/1`)(request) ? { kind: "answer", status: 200, headers, body } : undefined,
      );
      await expectOnlyBadFailed("MANIFEST_UNSUPPORTED");
      expect(asked("/bad/manifests/1")).toHaveLength(1);
    });

    test("a tag that moves in mid-sync is carried as it was when it was read, and then as it is", async () => {
      const repository = `round${round}/bad`;
      const [after] = await Array.fromAsync(randomImages({ seed: `moved ${round}`, count: 1, layerSize: SIZE }));
      if (after === undefined) throw new Error("no image");
      // The tag has been read by then, and nothing below it.
      const child = manifestFor(bad, "amd64").digest;
      proxy.setFaults(async ({ path, before }) => {
        if (path.includes(child) && before === 0) await pushImage(registry.url, repository, "1", after);
        return undefined;
      });
      expect((await site.sync()).report.failures).toEqual([]);
      expect(site.tags()[`${repository}:1`]).toBe(bad.digest);
      expect(await site.published()).toEqual(
        [...publishedBlobs(before), ...publishedBlobs(bad), ...publishedBlobs(good)].sort(),
      );
      expect((await site.sync()).report.updated).toEqual([`${repository}:1`]);
      expect(site.tags()[`${repository}:1`]).toBe(after.digest);
    });

    test.each([
      ["in seconds", () => "1"],
      ["as a date", () => new Date(Date.now() + 2000).toUTCString()],
    ])("429 with Retry-After %s slows the whole host down", async (_, retryAfter) => {
      // One at a time: nothing else is under way when the 429 comes, and whatever comes too early was sent after it.
      await site.configure({ concurrency: 1 });
      let refusedAt = 0;
      let pausedUntil = 0;
      const early: string[] = [];
      proxy.setFaults(({ path }) => {
        // Timers may fire a moment before their time.
        if (Date.now() < pausedUntil - 50) early.push(path);
        if (refusedAt > 0 || !path.includes("/blobs/")) return undefined;
        refusedAt = Date.now();
        const header = retryAfter();
        pausedUntil = /^\d+$/.test(header) ? refusedAt + Number(header) * 1000 : Date.parse(header);
        return { kind: "answer", status: 429, headers: { "retry-after": header } };
      });
      await expectAllGood();
      expect(refusedAt).toBeGreaterThan(0);
      expect(early).toEqual([]);
    });

    test("a listing that fails or is cut off fails that repository alone", async () => {
      proxy.setFaults((request) =>
        isFor(`round${round}/bad/tags/list`)(request) ? { kind: "truncate", after: 10 } : undefined,
      );
      const { exitCode, report } = await site.sync();
      expect(exitCode).toBe(2);
      expect(report.failures).toMatchObject([{ repository: `round${round}/bad`, code: "SOURCE_BROKE_OFF" }]);
      expect(asked("/bad/tags/list")).toHaveLength(1 + RETRIES);
      expect(site.tags()[`round${round}/bad:1`]).toBe(before.digest);
      expect(site.tags()[`round${round}/good:1`]).toBe(good.digest);
    });
  },
);
