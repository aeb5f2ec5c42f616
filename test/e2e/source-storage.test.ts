import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { allLayers, type BuiltImage, manifestFor } from "../lib/images/image.ts";
import { pushImage } from "../lib/images/push.ts";
import { randomImages } from "../lib/images/samples.ts";
import { type Registry, startRegistry } from "../lib/peers/registry.ts";
import { type TemporaryFolder, temporaryFolder } from "../lib/process/folder.ts";
import { expectOk, runOk } from "../lib/process/run.ts";
import { whyNot } from "../lib/requirements.ts";
import { createSite, publishedBlobs, type Site } from "../lib/site.ts";

const missing = await whyNot("registry");

describe.skipIf(missing !== undefined)(`straight from disk (${missing ?? "docker-registry's own storage"})`, () => {
  let folder: TemporaryFolder;
  let registry: Registry;
  let first: BuiltImage;
  let second: BuiltImage;
  let round = 0;

  beforeAll(async () => {
    folder = await temporaryFolder("storage");
    registry = await startRegistry({ dir: await folder.at("registry") });
    const images = await Array.fromAsync(
      randomImages({ seed: "storage", count: 2, kind: "oci-index", layerSize: 5000 }),
    );
    [first, second] = images as [BuiltImage, BuiltImage];
  });
  afterAll(async () => {
    await registry?.stop();
    await folder?.[Symbol.asyncDispose]();
  });

  const newSite = async (source: Record<string, unknown> = {}): Promise<Site> =>
    createSite(await folder.at(`site${++round}`), { storage: registry.storage, ...source });
  const blobsIn = (root: string, digest: string) =>
    join(root, "blobs", "sha256", digest.slice(7, 9), digest.slice(7), ...(root.endsWith("v2") ? ["data"] : []));
  const inRegistry = (digest: string) => blobsIn(join(registry.storage, "docker", "registry", "v2"), digest);
  const inStore = (site: Site, digest: string) => blobsIn(join(site.root, "store"), digest);

  test("images are carried without a request, and each layer is one file with the registry's", async () => {
    await pushImage(registry.url, "disk/a", "1", first);
    await pushImage(registry.url, "disk/nested/b", "2", second);
    const site = await newSite();
    const mark = await registry.log.mark();
    expectOk(await site.sync());
    expect(await registry.log.entries(mark)).toEqual([]);
    expect(site.tags()).toEqual({ "disk/a:1": first.digest, "disk/nested/b:2": second.digest });
    expect(await site.published()).toEqual([...publishedBlobs(first), ...publishedBlobs(second)].sort());
    for (const { digest } of allLayers(first)) {
      const [there, here] = [await stat(inRegistry(digest)), await stat(inStore(site, digest))];
      expect(here.ino).toBe(there.ino);
      expect(here.mode & 0o777).toBe(0o444);
      expect(here.mtimeMs).toBe(1_451_606_400_000);
    }
    // The registry still serves what it shares.
    const layer = allLayers(first)[0]?.digest;
    expect((await fetch(`${registry.url}/v2/disk/a/blobs/${layer}`)).status).toBe(200);
    expect((await site.sync()).report).toMatchObject({ checked: 2, unchanged: 2, fetched: { blobs: 0 } });
  });

  test("a blob that rotted on the registry's disk fails that image, and is not shared", async () => {
    const images = await Array.fromAsync(randomImages({ seed: "rot", count: 2, layerSize: 3000 }));
    const [bad, good] = images as [BuiltImage, BuiltImage];
    await pushImage(registry.url, "rot/bad", "1", bad);
    await pushImage(registry.url, "rot/good", "1", good);
    const [layer] = manifestFor(bad, "amd64").layers;
    if (layer === undefined) throw new Error("no layer");
    const file = inRegistry(layer.digest);
    const whole = await readFile(file);
    await writeFile(file, randomBytes(whole.length));
    const { mode } = await stat(file);
    const site = await newSite({ repositories: ["rot/*"] });
    const { exitCode, report } = await site.sync();
    expect(exitCode).toBe(2);
    expect(report.failures).toMatchObject([{ repository: "rot/bad", tag: "1", code: "DIGEST_MISMATCH" }]);
    expect(await site.published()).toEqual(publishedBlobs(good));
    expect((await stat(file)).mode).toBe(mode);
    await writeFile(file, whole);
    expectOk(await site.sync());
    expect(await site.published()).toEqual([...publishedBlobs(good), ...publishedBlobs(bad)].sort());
  });

  test("what the registry would not answer is not there: a deleted tag, a deleted blob", async () => {
    const images = await Array.fromAsync(randomImages({ seed: "deleted", count: 2, layerSize: 3000 }));
    const [kept, lost] = images as [BuiltImage, BuiltImage];
    await pushImage(registry.url, "deleted/a", "kept", kept);
    await pushImage(registry.url, "deleted/a", "lost", lost);
    await pushImage(registry.url, "deleted/a", "gone", first);
    const remove = async (path: string) => {
      expect((await fetch(`${registry.url}/v2/deleted/a/${path}`, { method: "DELETE" })).status).toBe(202);
    };
    await remove(`manifests/${first.digest}`);
    await remove(`blobs/${allLayers(lost)[0]?.digest}`);
    const site = await newSite({ repositories: ["deleted/a"] });
    const { report } = await site.sync();
    expect(report.failures).toMatchObject([{ repository: "deleted/a", tag: "lost", code: "NOT_FOUND" }]);
    expect(site.tags()).toEqual({ "deleted/a:kept": kept.digest });
  });

  test("across file systems, blobs are copied", async (context) => {
    const other = await mkdtemp("/dev/shm/nearlayer-test-").catch(() => context.skip("no second file system"));
    try {
      if ((await stat(other)).dev === (await stat(registry.storage)).dev) context.skip("no second file system");
      await pushImage(registry.url, "disk/a", "1", first);
      const site = await createSite(other, { storage: registry.storage, repositories: ["disk/a"] });
      expectOk(await site.sync());
      expect(await site.published()).toEqual(publishedBlobs(first));
    } finally {
      await rm(other, { recursive: true, force: true });
    }
  });

  test("an unprivileged syncer that does not own the files copies them", async (context) => {
    if (process.getuid?.() !== 0) context.skip("only root can become somebody else");
    await pushImage(registry.url, "disk/a", "1", first);
    const site = await newSite({ repositories: ["disk/nested/b"] });
    await runOk("chown", ["-R", "nobody", join(site.root, "..")]);
    await runOk("chmod", ["a+rX", folder.path]);
    const digest = manifestFor(second, "amd64").layers[0]?.digest ?? "";
    expectOk(
      await runOk("setpriv", [
        ...["--reuid", "nobody", "--clear-groups"],
        ...[process.execPath, join(import.meta.dirname, "../../packages/syncer/src/bin.js")],
        ...["--config", site.config, "sync"],
      ]),
    );
    expect(await site.published()).toEqual(publishedBlobs(second));
    expect((await stat(inStore(site, digest))).ino).not.toBe((await stat(inRegistry(digest))).ino);
  });

  test("a folder that is no registry's storage is said to be none", async () => {
    const result = await (await newSite({ storage: await folder.at("empty") })).sync();
    expect(result).toMatchObject({ exitCode: 3, stderr: expect.stringContaining("no docker/registry/v2") });
  });
});
