import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { sha256 } from "../lib/images/blob.ts";
import { type BuiltManifest, manifestFor } from "../lib/images/image.ts";
import { pushBlob, pushImage } from "../lib/images/push.ts";
import { randomImages } from "../lib/images/samples.ts";
import { program, syncer } from "../lib/nearlayer.ts";
import { type Registry, startRegistry } from "../lib/peers/registry.ts";
import { type TemporaryFolder, temporaryFolder } from "../lib/process/folder.ts";
import { expectOk, run } from "../lib/process/run.ts";
import { until } from "../lib/process/until.ts";
import { whyNot } from "../lib/requirements.ts";

const missing = await whyNot("registry");
const noJq = (await run("jq", ["--version"])).exitCode === 0 ? undefined : "jq is not installed";
const hexOf = (digest: string) => digest.slice("sha256:".length);

describe.skipIf(missing !== undefined)(`the content store by hand (${missing ?? "docker-registry"})`, () => {
  let folder: TemporaryFolder;
  let registry: Registry;
  let image: BuiltManifest;
  let layers: readonly { readonly digest: string; readonly bytes: Buffer }[];
  let config: string;
  let root: string;
  let round = 0;

  beforeAll(async () => {
    folder = await temporaryFolder("store");
    registry = await startRegistry({ dir: await folder.at("registry") });
    const images = randomImages({
      seed: "store",
      count: 1,
      kind: "docker-manifest",
      architectures: ["amd64"],
      layers: 6,
    });
    for await (const built of images) {
      await pushImage(registry.url, "fedora/app", "40", built);
      image = manifestFor(built, "amd64");
      layers = image.layers;
    }
  });
  afterAll(async () => {
    await registry?.stop();
    await folder?.[Symbol.asyncDispose]();
  });

  beforeEach(async () => {
    round += 1;
    const dir = await folder.at(`site${round}`);
    [config, root] = [join(dir, "nearlayer.yaml"), join(dir, "root")];
    const source = { url: registry.url, repositories: ["fedora/*"], retries: 0 };
    await writeFile(config, stringify({ catalog: "catalog.db", root: "root", source }));
  });

  const verb = (...args: string[]) => syncer(config, args);
  const stored = (digest: string) => join(root, "store/blobs/sha256", hexOf(digest).slice(0, 2), hexOf(digest));
  const listed = async () =>
    expectOk(await verb("list", "-q"))
      .stdout.split("\n")
      .filter(Boolean)
      .sort();
  const everything = () => [image, image.config, ...layers].map(({ digest }) => digest).sort();

  /** A verb under way, whose stdin the test holds. */
  function start(...args: string[]) {
    const [node, bin] = program("syncer");
    const child = spawn(node, [bin, ...args, "--config", config], { stdio: ["pipe", "pipe", "pipe"] });
    const ended = once(child, "close").then(([code]) => code as number);
    return { child, ended };
  }

  test("fetch brings an image into the store, and nowhere else", async () => {
    expectOk(await verb("fetch", "fedora/app:40"));
    expect(await listed()).toEqual(everything());
    for (const digest of everything()) expect(sha256(await readFile(stored(digest)))).toBe(digest);
    await expect(readdir(join(root, "pub"))).rejects.toThrow("ENOENT");
    expect(expectOk(await verb("images", "--json")).stdout).toBe("[]");
  });

  test("list, path and images tell what is there", async () => {
    expectOk(await verb("sync"));
    const { digest, bytes } = layers[0] as (typeof layers)[0];
    expect(expectOk(await verb("path", digest)).stdout).toBe(stored(digest));
    expect(expectOk(await verb("list")).stdout).toMatch(new RegExp(`^${digest} +${bytes.length} +\\d+ s$`, "m"));
    const blobs = [image.config, ...layers];
    expect(JSON.parse(expectOk(await verb("images", "--json")).stdout)).toEqual([
      {
        repository: "fedora/app",
        tag: "40",
        digest: image.digest,
        platforms: ["linux-amd64"],
        size: blobs.reduce((sum, blob) => sum + blob.bytes.length, 0),
      },
    ]);
    const absent = await verb("path", sha256(Buffer.from("absent")));
    expect([absent.exitCode, absent.stdout]).toEqual([2, ""]);
  });

  test("ingest takes the bytes that were expected, and no others", async () => {
    const content = "what is to be stored";
    const digest = sha256(Buffer.from(content));
    const ingest = (input: string, ...args: string[]) =>
      syncer(config, ["ingest", "--expected-digest", digest, ...args], { input });

    for (const [input, ...args] of [
      ["something else"],
      [`${content} and more`, "--expected-size", String(content.length)],
      [content.slice(1), "--expected-size", String(content.length)],
    ] as const) {
      const refused = await ingest(input, ...args);
      expect(refused.exitCode).toBe(2);
      expect(refused.stderr).toMatch(/^error: stdin: /);
      expect(await listed()).toEqual([]);
    }
    expect(expectOk(await ingest(content, "--expected-size", String(content.length))).stdout).toBe(stored(digest));
    expect(await readFile(stored(digest), "utf8")).toBe(content);
    expect((await stat(stored(digest))).mode & 0o777).toBe(0o444);
  });

  test("active shows what is under way, and what was killed, which then goes on", async () => {
    const content = Buffer.alloc(100_000, "content of a layer ");
    const digest = sha256(content);
    const args = ["ingest", "--expected-digest", digest, "--expected-size", "100000", "a layer"];
    const active = async () => JSON.parse(expectOk(await verb("active", "--json")).stdout);
    const { child, ended } = start(...args);
    child.stdin.write(content.subarray(0, 60_000));
    const [running] = await until(async () => (await active()).some(({ ref }: { ref?: string }) => ref) && active(), {
      what: "the ingest to show",
      within: 30_000,
    });
    expect(running).toMatchObject({ ref: "a layer", digest, total: 100_000, state: "running" });

    child.kill("SIGKILL");
    await ended;
    expect(await active()).toMatchObject([{ ref: "a layer", digest, state: "stopped" }]);
    expect(expectOk(await verb("active")).stdout).toMatch(/^a layer +.* stopped$/m);
    expect(await listed()).toEqual([]);

    expectOk(await syncer(config, args, { input: content.toString() }));
    expect(await active()).toEqual([]);
    expect(await listed()).toEqual([digest]);
  });

  test("delete takes away what nothing needs, and nothing else", async () => {
    expectOk(await verb("sync"));
    const needed = layers[0]?.digest ?? "";
    const content = "of no use";
    const useless = sha256(Buffer.from(content));
    expectOk(await syncer(config, ["ingest", "--expected-digest", useless], { input: content }));

    const { exitCode, stdout } = await verb("delete", useless, needed);
    expect(exitCode).toBe(2);
    expect(stdout).toContain(`deleted: ${useless}`);
    expect(stdout).toContain(`refused: ${needed} is needed by fedora/app, published under linux-amd64`);
    expect(await listed()).not.toContain(useless);
    expect(sha256(await readFile(stored(needed)))).toBe(needed);
  });

  test("fetch-object writes what was verified; of wrong bytes it never writes the whole", async () => {
    const [node, bin] = program("syncer");
    const object = (...args: string[]) => run(node, [bin, "fetch-object", ...args, "--config", config]);
    expect(expectOk(await object("fedora/app:40")).stdout).toBe(image.bytes.toString());
    expect(expectOk(await object("fedora/app", image.digest)).stdout).toBe(image.bytes.toString());
    expect(expectOk(await object("fedora/app", image.config.digest)).stdout).toBe(image.config.bytes.toString());

    const spoilt = "a configuration that will be spoilt";
    const digest = sha256(Buffer.from(spoilt));
    const data = (hex: string) =>
      join(registry.storage, "docker/registry/v2/blobs/sha256", hex.slice(0, 2), hex, "data");
    await pushBlob(`${registry.url}/v2/fedora/app`, { digest, bytes: Buffer.from(spoilt) });
    await writeFile(data(hexOf(digest)), spoilt.replace("a", "A"));
    const refused = await object(`fedora/app@${digest}`);
    expect([refused.exitCode, refused.stdout]).toEqual([2, ""]);
    expect(refused.stderr).toContain(digest);
    await verb("list");
    await expect(readdir(root)).rejects.toThrow("ENOENT");
  });

  test("processes that want the same blob fetch it once", async () => {
    const { digest } = layers[0] as (typeof layers)[0];
    const mark = await registry.log.mark();
    const results = await Promise.all(Array.from({ length: 4 }, () => verb("fetch", "fedora/app", digest)));
    for (const result of results) expectOk(result);
    const asked = (await registry.log.entries(mark)).filter(({ uri, kind }) => kind === "blob" && uri.includes(digest));
    expect(asked).toHaveLength(1);
    expect(await readdir(join(root, "store/ingest"))).toEqual([]);
  });

  describe.skipIf(noJq !== undefined)(`in a shell (${noJq ?? "bash, jq, xargs"})`, () => {
    /** The verbs as a person has them on the PATH. */
    const shell = (script: string) => {
      const [node, bin] = program("syncer");
      const prelude = `set -euo pipefail; export NODE=${node} BIN=${bin} CONFIG=${config}
        syncer() { "$NODE" "$BIN" --config "$CONFIG" "$@"; }; export -f syncer`;
      return run("bash", ["-c", `${prelude}\n${script}`]);
    };

    test("a manifest's layers are fetched by eight workers", async () => {
      expectOk(
        await shell(`syncer fetch-object fedora/app:40 | jq -r '.layers[].digest' |
          xargs -P8 -I{} bash -c 'syncer fetch fedora/app {}'`),
      );
      expect(await listed()).toEqual(layers.map(({ digest }) => digest).sort());
    });

    test("fetch-object pipes into ingest, eight at a time", async () => {
      expectOk(
        await shell(`syncer fetch-object fedora/app:40 | jq -r '.layers[] | "\\(.digest) \\(.size)"' |
          xargs -P8 -n2 bash -c 'syncer fetch-object fedora/app $1 |
            syncer ingest --expected-digest $1 --expected-size $2 fedora/app@$1' -`),
      );
      expect(await listed()).toEqual(layers.map(({ digest }) => digest).sort());
      const { stdout } = expectOk(
        await shell(`syncer list -q | while read -r d; do sha256sum "$(syncer path "$d")"; done`),
      );
      for (const { digest } of layers) expect(stdout).toMatch(new RegExp(`^${hexOf(digest)} .*${hexOf(digest)}$`, "m"));
    });
  });
});
