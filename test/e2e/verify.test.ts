import { chmod, copyFile, mkdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type BuiltImage, manifestFor } from "../lib/images/image.ts";
import { pushImage } from "../lib/images/push.ts";
import { randomImages } from "../lib/images/samples.ts";
import { type Registry, startRegistry } from "../lib/peers/registry.ts";
import { type TemporaryFolder, temporaryFolder } from "../lib/process/folder.ts";
import { expectOk } from "../lib/process/run.ts";
import { whyNot } from "../lib/requirements.ts";
import { createSite, publishedBlobs, type Site } from "../lib/site.ts";

interface VerifyReport {
  readonly checked: { readonly blobs: number; readonly bytes: number };
  readonly items: readonly {
    readonly fault: string;
    readonly path: string;
    readonly repaired: boolean;
    readonly error?: string;
  }[];
  readonly wrong: number;
}

const missing = await whyNot("registry");

/** Everything that a disk, an admin or a bug can do to the files, and its repair from the source. */
describe.skipIf(missing !== undefined)(`verify (${missing ?? "docker-registry"})`, () => {
  let folder: TemporaryFolder;
  let registry: Registry;
  let site: Site;
  let image: BuiltImage;
  let first: string;
  let second: string;
  let round = 0;

  beforeAll(async () => {
    folder = await temporaryFolder("verify");
    registry = await startRegistry({ dir: await folder.at("registry") });
    const images = randomImages({ seed: "verify", count: 1, layers: 3, layerSize: 20_000 });
    [image] = (await Array.fromAsync(images)) as [BuiltImage];
    [first = "", second = ""] = manifestFor(image, "amd64").layers.map(({ digest }) => digest);
    await pushImage(registry.url, "app", "1", image);
  });
  afterAll(async () => {
    await registry?.stop();
    await folder?.[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    round += 1;
    site = await createSite(await folder.at(`site${round}`), { url: registry.url });
    expectOk(await site.sync());
  });

  const verify = (...args: string[]) => site.run<VerifyReport>("verify", ...args);
  const name = (digest: string) => `${digest.slice(7, 9)}/${digest.slice(7)}`;
  const stored = (digest: string) => join(site.root, "store/blobs/sha256", name(digest));
  const shown = (digest: string) => join(site.root, "pub/linux-amd64/blobs/sha256", name(digest));
  const faults = ({ items }: VerifyReport) => items.map(({ fault, path }) => `${fault} ${path}`).sort();
  /** As a disk does it: the bytes change, and nothing else does. */
  const spoil = async (path: string) => {
    const { atime, mtime } = await stat(path);
    const bytes = await readFile(path);
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    await chmod(path, 0o644);
    await writeFile(path, bytes);
    await chmod(path, 0o444);
    await utimes(path, atime, mtime);
  };
  const blobRequests = async (action: () => Promise<unknown>) => {
    const mark = await registry.log.mark();
    await action();
    return (await registry.log.entries(mark)).filter(({ kind }) => kind === "blob").map(({ uri }) => uri);
  };
  /** Repairs, and looks again with the strictest eye there is. */
  const repair = async (...expected: string[]) => {
    const { exitCode, report } = await verify("--repair");
    expect([exitCode, faults(report), report.wrong]).toEqual([0, expected.sort(), 0]);
    expect((await verify()).report).toMatchObject({ items: [], wrong: 0 });
    expect(await site.published()).toEqual(publishedBlobs(image));
  };

  test("a tree that is right has all its bytes read, and no fault", async () => {
    const { exitCode, report } = await verify();
    const bytes = image.manifests.flatMap(({ config, layers }) => [config, ...layers].map((blob) => blob.bytes.length));
    const total = bytes.reduce((sum, size) => sum + size, 0);
    expect([exitCode, report]).toEqual([0, expect.objectContaining({ items: [], wrong: 0 })]);
    expect(report.checked).toEqual({ blobs: bytes.length, bytes: total });
    expect((await verify("--quick")).report.checked).toEqual({ blobs: bytes.length, bytes: 0 });
  });

  test("wrong bytes are found by reading, and fetched again once", async () => {
    await spoil(stored(first));
    expect((await verify("--quick")).exitCode).toBe(0);
    const { exitCode, report } = await verify();
    expect([exitCode, report.wrong]).toEqual([2, 1]);
    const path = `store/blobs/sha256/${name(first)}`;
    const asked = await blobRequests(() => repair(`bytes ${path}`));
    expect(asked).toEqual([expect.stringContaining(first)]);
    expect((await stat(shown(first))).ino).toBe((await stat(stored(first))).ino);
  });

  test("a missing blob is fetched; one that the tree still has is not", async () => {
    await rm(stored(first));
    await rm(shown(first));
    await rm(stored(second));
    const asked = await blobRequests(() =>
      repair(
        `link pub/linux-amd64/blobs/sha256/${name(first)}`,
        `missing store/blobs/sha256/${name(first)}`,
        `missing store/blobs/sha256/${name(second)}`,
      ),
    );
    expect(asked).toEqual([expect.stringContaining(first)]);
  });

  test("links, sizes, modes, times and copies are put right, also when no bytes are read", async () => {
    await rm(shown(first));
    await chmod(stored(second), 0o600);
    await utimes(stored(second), 1, 1);
    const [config] = [manifestFor(image, "amd64").config.digest];
    await copyFile(stored(config), `${shown(config)}.x`);
    await rename(`${shown(config)}.x`, shown(config));
    const quick = await verify("--quick");
    expect(faults(quick.report)).toHaveLength(4);
    await repair(
      `link pub/linux-amd64/blobs/sha256/${name(first)}`,
      `link pub/linux-amd64/blobs/sha256/${name(config)}`,
      `metadata store/blobs/sha256/${name(second)}`,
      `metadata store/blobs/sha256/${name(second)}`,
    );
  });

  test("what does not belong in the tree is found wherever it lies, and removed", async () => {
    const strangers = [
      "README",
      "linux-amd64/x",
      `linux-amd64/blobs/sha256/${name(`sha256:${"0".repeat(64)}`)}`,
      `linux-arm64/blobs/sha256/${name(first)}`,
      "linux-s390x/y",
      "zz-state/linux-amd64/list-99.gz",
      "zz-state/z",
    ];
    for (const path of strangers) {
      await mkdir(join(site.root, "pub", path, ".."), { recursive: true });
      await writeFile(join(site.root, "pub", path), "");
    }
    await repair(...strangers.map((path) => `foreign pub/${path}`));
  });

  test("GENERATION, lists and deltas are those that the catalog has", async () => {
    const state = join(site.root, "pub/zz-state/linux-amd64");
    const before = await readFile(join(state, "GENERATION"), "utf8");
    const list = gunzipSync(await readFile(join(state, "list-1.gz"))).toString();
    await writeFile(join(state, "GENERATION"), before.replace("number: 1", "number: 7"));
    await writeFile(join(state, "list-1.gz"), gzipSync(list.slice(0, -10)));
    await writeFile(join(state, "delta-0-1.gz"), "broken");
    const at = "state pub/zz-state/linux-amd64";
    await repair(`${at}/GENERATION`, `${at}/list-1.gz`, `${at}/delta-0-1.gz`);
    expect(await readFile(join(state, "GENERATION"), "utf8")).toBe(before);
    expect(gunzipSync(await readFile(join(state, "list-1.gz"))).toString()).toBe(list);
  });

  test("what the source has lost too is told, is not shown to mirrors, and comes when it is back", async () => {
    await spoil(stored(first));
    const data = join(registry.storage, "docker/registry/v2/blobs/sha256", first.slice(7, 9), first.slice(7), "data");
    await rename(data, `${data}.aside`);
    const { exitCode, report } = await verify("--repair");
    expect([exitCode, report.items]).toEqual([
      2,
      [expect.objectContaining({ fault: "bytes", repaired: false, error: expect.stringContaining(first) })],
    ]);
    await expect(stat(shown(first))).rejects.toThrow("ENOENT");
    await rename(`${data}.aside`, data);
    expect((await verify("--repair")).exitCode).toBe(0);
    expect(await site.published()).toEqual(publishedBlobs(image));
  });
});
