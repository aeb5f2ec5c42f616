import { readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { type BuiltImage, buildImage } from "../lib/images/image.ts";
import { type Layer, randomLayer } from "../lib/images/layer.ts";
import { pushImage } from "../lib/images/push.ts";
import { program, syncer } from "../lib/nearlayer.ts";
import { type Registry, startRegistry } from "../lib/peers/registry.ts";
import { type RsyncDaemon, startRsyncDaemon } from "../lib/peers/rsyncd.ts";
import { type TemporaryFolder, temporaryFolder } from "../lib/process/folder.ts";
import { freePort } from "../lib/process/ports.ts";
import { expectOk, run, runOk } from "../lib/process/run.ts";
import { whyNot } from "../lib/requirements.ts";
import { snapshot } from "../lib/snapshot.ts";

const missing = (await whyNot("registry")) ?? (await whyNot("rsync"));
const hexOf = (digest: string) => digest.slice("sha256:".length);
const blobPath = (digest: string) => `blobs/sha256/${hexOf(digest).slice(0, 2)}/${hexOf(digest)}`;

describe.skipIf(missing !== undefined)(`syncer sync and publish (${missing ?? "docker-registry and rsync"})`, () => {
  let folder: TemporaryFolder;
  let registry: Registry;
  let master: RsyncDaemon;
  let shared: Layer;
  let images: BuiltImage[];
  let config: string;
  let dir: string;
  let root: string;
  let round = 0;

  /** Two repositories, two platforms each, and one layer that all four images have. */
  beforeAll(async () => {
    folder = await temporaryFolder("sync");
    registry = await startRegistry({ dir: await folder.at("registry") });
    await folder.at("master");
    const modules = [{ name: "containers", path: await folder.at("master"), readOnly: false }];
    master = await startRsyncDaemon({ dir: await folder.at("rsyncd"), modules });
    shared = await randomLayer("shared", 300_000);
    images = await Promise.all(["one", "two"].map(image));
    await pushImage(registry.url, "fedora/one", "40", images[0] as BuiltImage);
    await pushImage(registry.url, "fedora/two", "40", images[1] as BuiltImage);
  });
  afterAll(async () => {
    await master?.stop();
    await registry?.stop();
    await folder?.[Symbol.asyncDispose]();
  });

  async function image(name: string): Promise<BuiltImage> {
    const parts = ["amd64", "arm64"].map(async (architecture) => ({
      platform: { os: "linux", architecture },
      layers: [shared, await randomLayer(`${name} ${architecture}`, 50_000)],
    }));
    return buildImage("docker-list", await Promise.all(parts));
  }

  beforeEach(async () => {
    round += 1;
    dir = await folder.at(`site${round}`);
    config = join(dir, "nearlayer.yaml");
    root = join(dir, "root");
    await folder.at("master", `site${round}`);
    await configure({});
  });

  const target = () => `${master.url}containers/site${round}/`;
  const configure = (changed: Record<string, unknown>) =>
    writeFile(
      config,
      stringify({
        ...{ catalog: "catalog.db", root: "root", publish: { targets: [target()] } },
        source: { url: registry.url, repositories: ["fedora/*"], retries: 1, timeout: "3s" },
        ...changed,
      }),
    );
  const sync = (...args: string[]) => syncer(config, ["sync", ...args]);
  const generations = async () =>
    Promise.all(
      ["linux-amd64", "linux-arm64"].map((name) => readFile(join(root, `pub/zz-state/${name}/GENERATION`), "utf8")),
    );

  test("a blob that repositories and platforms share is one file, and crosses to a mirror once", async () => {
    expectOk(await sync());
    const names = ["store", "pub/linux-amd64", "pub/linux-arm64"].map((name) =>
      join(root, name, blobPath(shared.digest)),
    );
    const inodes = await Promise.all(names.map(async (name) => (await stat(name)).ino));
    expect(new Set(inodes).size).toBe(1);
    expect((await stat(names[0] as string)).nlink).toBe(3);

    const toMaster = await master.transfers.mark();
    expectOk(await syncer(config, ["publish"]));
    const received = (await master.transfers.entries(toMaster)).filter(({ path }) =>
      path.includes(hexOf(shared.digest)),
    );
    expect(received.filter(({ bytes }) => bytes > 0)).toHaveLength(1);

    const toMirror = await master.transfers.mark();
    await runOk("rsync", ["-aH", target(), `${await folder.at(`mirror${round}`)}/`]);
    const sent = (await master.transfers.entries(toMirror)).filter(({ path }) => path.includes(hexOf(shared.digest)));
    expect(sent.filter(({ bytes }) => bytes > 0)).toHaveLength(1);
  });

  test("a second sync asks for no blob, touches no file, makes no generation, and leaves rsync nothing to send", async () => {
    expectOk(await sync());
    expectOk(await syncer(config, ["publish"]));
    const before = { files: await snapshot(join(root, "pub")), generations: await generations() };
    const mark = await registry.log.mark();

    const again = expectOk(await sync());
    expect(again.stdout).toContain("2 unchanged");
    expect((await registry.log.entries(mark)).filter(({ kind }) => kind === "blob")).toEqual([]);
    expect(await snapshot(join(root, "pub"))).toEqual(before.files);
    expect(await generations()).toEqual(before.generations);

    const transfers = await master.transfers.mark();
    expectOk(await syncer(config, ["publish"]));
    await runOk("rsync", ["-aH", `${root}/pub/`, target()]);
    expect((await master.transfers.entries(transfers)).filter(({ operation }) => operation === "recv")).toEqual([]);
  });

  describe("what is wrong is told in one line, and changes nothing", () => {
    let before: Record<string, string>;

    /** Something is published already. */
    beforeEach(async () => {
      expectOk(await sync());
      before = await snapshot(join(root, "pub"));
    });

    /** The lines on stderr that say what is wrong. */
    const errors = (stderr: string) => stderr.split("\n").filter((line) => line.startsWith("error: "));

    test("a registry that does not answer", async () => {
      const url = `http://127.0.0.1:${await freePort()}`;
      await configure({ source: { url, retries: 0 } });
      const { exitCode, stderr } = await sync();
      expect(exitCode).toBe(3);
      expect(errors(stderr)).toEqual([expect.stringContaining(url)]);
      expect(await snapshot(join(root, "pub"))).toEqual(before);
    });

    test("a blob whose bytes are others", async () => {
      const broken = await image(`broken ${round}`);
      const [layer] = broken.manifests[0]?.layers.slice(1) ?? [];
      await pushImage(registry.url, `broken/r${round}`, "1", broken);
      const digest = layer?.digest ?? "";
      const data = join(registry.storage, "docker/registry/v2", blobPath(digest), "data");
      await writeFile(data, Buffer.alloc((await stat(data)).size, "x"));

      await configure({ source: { url: registry.url, repositories: [`broken/r${round}`], retries: 0 } });
      const { exitCode, stdout, stderr } = await sync();
      expect(exitCode).toBe(2);
      const told = `${stdout}\n${stderr}`.split("\n").filter((line) => /^failed: /.test(line));
      expect(told).toEqual([expect.stringMatching(new RegExp(`^failed: broken/r${round}:1: .*${digest}`))]);
      expect(await snapshot(join(root, "pub"))).toEqual(before);
    });

    test("a manifest that is no JSON", async () => {
      const bodies: Record<string, string> = {
        "/v2/_catalog": '{"repositories":["a/b"]}',
        "/v2/a/b/tags/list": '{"name":"a/b","tags":["1"]}',
        "/v2/a/b/manifests/1": "<html>no manifest</html>",
      };
      const server = createServer((incoming, answer) => {
        const path = incoming.url?.split("?")[0] ?? "";
        answer.statusCode = path in bodies ? 200 : 404;
        if (path.includes("/manifests/")) {
          answer.setHeader("content-type", "application/vnd.docker.distribution.manifest.v2+json");
        }
        answer.end(bodies[path] ?? "{}");
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      try {
        const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
        await configure({ source: { url, retries: 0 } });
        const { exitCode, stdout } = await sync();
        expect(exitCode).toBe(2);
        expect(stdout).toMatch(/^failed: a\/b:1: .*not JSON/m);
        expect(await snapshot(join(root, "pub"))).toEqual(before);
      } finally {
        server.close();
      }
    });

    test("a configuration with a key that is unknown", async () => {
      await configure({ source: { url: registry.url, repositorys: ["**"] } });
      const { exitCode, stderr } = await sync();
      expect(exitCode).toBe(1);
      expect(errors(stderr)).toEqual([expect.stringMatching(/nearlayer\.yaml:\d+: source\.repositorys: unknown key$/)]);
      expect(await snapshot(join(root, "pub"))).toEqual(before);
    });

    test("a destination with a shell command in it", async () => {
      const work = await folder.at(`work${round}`);
      await configure({ publish: { targets: [`${work}/x; touch ${work}/PWNED`] } });
      const { exitCode, stderr } = await syncer(config, ["publish"], { cwd: work });
      expect(exitCode).toBe(1);
      expect(errors(stderr)).toEqual([expect.stringContaining("publish.targets[0]")]);
      expect(await snapshot(work)).toEqual({});
    });

    test("a command that does not exist", async () => {
      expect((await syncer(config, ["snyc"])).exitCode).toBe(1);
    });
  });

  describe("--dry-run", () => {
    const everything = () => {
      const blobs = images.flatMap(({ manifests }) => manifests.flatMap(({ config: own, layers }) => [own, ...layers]));
      return [...new Map(blobs.map(({ digest, bytes }) => [digest, bytes.length])).values()];
    };

    test("tells what a sync would do, to the byte, and makes nothing", async () => {
      const { stdout } = expectOk(await sync("--dry-run", "--json"));
      const sizes = everything();
      const bytes = sizes.reduce((sum, size) => sum + size, 0);
      const forecast = JSON.parse(stdout);
      expect(forecast.fetch).toEqual({ blobs: sizes.length, bytes });
      expect(forecast.updated.sort()).toEqual(["fedora/one:40", "fedora/two:40"]);
      expect(await snapshot(dir)).toEqual({ "nearlayer.yaml": expect.anything() });

      const { fetched } = JSON.parse(expectOk(await sync("--json")).stdout);
      expect(fetched.blobs).toBe(sizes.length);
    });

    test("leaves what is there as it is, catalog and target included", async () => {
      expectOk(await sync());
      const before = await snapshot(dir);
      const atTarget = await snapshot(join(folder.path, "master", `site${round}`));
      const { stdout } = expectOk(await sync("--dry-run"));
      expect(stdout).toContain("would fetch: 0 blobs, 0 B");
      const published = expectOk(await syncer(config, ["publish", "--dry-run", "--json"]));
      const [forecast] = JSON.parse(published.stdout).targets;
      expect(await snapshot(dir)).toEqual(before);
      expect(await snapshot(join(folder.path, "master", `site${round}`))).toEqual(atTarget);

      const { targets } = JSON.parse(expectOk(await syncer(config, ["publish", "--json"])).stdout);
      expect([forecast.files, forecast.bytes]).toEqual([targets[0].files, targets[0].bytes]);
    });
  });

  test("on a terminal, progress is shown, and goes away", async () => {
    // script(1), which every Debian has, gives it a terminal; that has no size until it is told one.
    const command = ["stty cols 120 rows 30;", ...program("syncer"), "sync", "--config", config].join(" ");
    const { stdout, exitCode } = await run("script", ["-qec", command, "/dev/null"]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/fetching: \d+ of \d+ blobs/);
    expect(stdout).toContain("2 tags checked: 2 updated");
    // What is piped is left in peace.
    await rm(root, { recursive: true });
    await rm(join(dir, "catalog.db"));
    expect((await sync()).stderr).toBe("");
  });

  test("every command has examples in its help, and nothing but its result on stdout", async () => {
    const { stdout } = expectOk(await syncer(config, ["--help"]));
    const section = stdout.slice(stdout.indexOf("Commands:"), stdout.indexOf("Examples:"));
    const commands = [...section.matchAll(/^ {2}([a-z-]+)/gm)].flatMap(([, name]) =>
      name === "help" ? [] : [name ?? ""],
    );
    expect(commands).toEqual(expect.arrayContaining(["sync", "publish", "fetch", "ingest", "images"]));
    const [node, bin] = program("syncer");
    for (const name of commands) {
      const args = name === "key" ? ["key", "generate", "--help"] : [name, "--help"];
      expect((await run(node, [bin, ...args])).stdout, name).toContain("Examples:");
    }
    const { stdout: json, stderr } = expectOk(await sync("--json"));
    expect(Object.keys(JSON.parse(json))).toEqual(expect.arrayContaining(["updated", "failures", "fetched"]));
    expect(stderr).toBe("");
  });
});
