import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { sha256 } from "../lib/images/blob.ts";
import type { BuiltImage } from "../lib/images/image.ts";
import { pushImage } from "../lib/images/push.ts";
import { randomImages } from "../lib/images/samples.ts";
import { syncer } from "../lib/nearlayer.ts";
import { type Registry, startRegistry } from "../lib/peers/registry.ts";
import { type TemporaryFolder, temporaryFolder } from "../lib/process/folder.ts";
import { expectOk } from "../lib/process/run.ts";
import { whyNot } from "../lib/requirements.ts";
import { publishedBlobs } from "../lib/site.ts";
import { mountSmallDisk, type SmallDisk, whyNoSmallDisk } from "../lib/small-disk.ts";
import { readTree } from "../lib/tree.ts";

const missing = (await whyNot("registry")) ?? (await whyNoSmallDisk());
/** Space that is left when a run begins, in bytes: it ends at the first folder, in a layer, or at the last record. */
const LEFT = [0, 8_192, 65_536, 300_000];

describe.skipIf(missing !== undefined)(`a full disk (${missing ?? "a small tmpfs"})`, () => {
  let folder: TemporaryFolder;
  let registry: Registry;
  let first: BuiltImage;
  let second: BuiltImage;
  let disk: SmallDisk;
  let config: string;
  let round = 0;

  beforeAll(async () => {
    folder = await temporaryFolder("full");
    registry = await startRegistry({ dir: await folder.at("registry") });
    const images = randomImages({ seed: "full", count: 2, layerSize: 200_000 });
    [first, second] = (await Array.fromAsync(images)) as [BuiltImage, BuiltImage];
  });
  afterAll(async () => {
    await registry?.stop();
    await folder?.[Symbol.asyncDispose]();
  });

  /** One image is published; another has come to the source. `full` is what lies on the small disk. */
  async function prepare(full: "root" | "catalog"): Promise<string> {
    round += 1;
    const repository = `full${round}/app`;
    const dir = await folder.at(`site${round}`);
    disk = await mountSmallDisk(join(dir, "disk"), 4_000_000);
    config = join(dir, "nearlayer.yaml");
    const places = { root: "root", catalog: "catalog.db" };
    places[full] = `disk/${places[full]}`;
    const source = { url: registry.url, repositories: [repository] };
    await writeFile(config, stringify({ ...places, source }));
    await pushImage(registry.url, repository, "first", first);
    expectOk(await syncer(config, ["sync"]));
    await pushImage(registry.url, repository, "second", second);
    return join(dir, places.root);
  }

  beforeEach((context) => {
    context.onTestFinished(() => disk?.[Symbol.asyncDispose]());
  });

  for (const full of ["root", "catalog"] as const) {
    test(`where the ${full} lies: an exit of its own, nothing by halves, and all is well once there is space`, async () => {
      const root = await prepare(full);
      const pub = join(root, "pub");
      const before = await readTree(pub);
      for (const left of full === "root" ? LEFT : LEFT.slice(0, 2)) {
        await disk.fill(left);
        const { exitCode, stderr, stdout } = await syncer(config, ["sync"]);
        expect({ left, exitCode, stdout }).toEqual({ left, exitCode: 4, stdout: "" });
        expect(stderr).toMatch(/^error: no space left/);
        expect(stderr).toMatch(/^hint: /m);
        const shown = await readTree(pub);
        expect(shown.generations).toEqual(before.generations);
        await disk.free();
      }
      const stored = (await readdir(join(root, "store/blobs/sha256"), { recursive: true })).map((name) =>
        name.slice(3),
      );
      const mark = await registry.log.mark();
      expectOk(await syncer(config, ["sync"]));
      const asked = (await registry.log.entries(mark)).filter(({ kind }) => kind === "blob");
      for (const { uri } of asked) expect(stored).not.toContain(uri.slice(uri.lastIndexOf(":") + 1));
      const after = await readTree(pub);
      expect(after.blobs).toEqual(new Set([...publishedBlobs(first), ...publishedBlobs(second)]));
      expect(after.generations).toEqual({ "linux-amd64": 2, "linux-arm64": 2 });
    });
  }

  test("ingest by hand says so too, and goes through once there is space", async () => {
    await prepare("root");
    const content = "x".repeat(100_000);
    const ingest = () =>
      syncer(config, ["ingest", "--expected-digest", sha256(Buffer.from(content))], { input: content });
    await disk.fill(20_000);
    const { exitCode, stderr } = await ingest();
    expect({ exitCode, stderr }).toEqual({
      exitCode: 4,
      stderr: expect.stringMatching(/^error: no space left for stdin/),
    });
    await disk.free();
    expectOk(await ingest());
  });
});
