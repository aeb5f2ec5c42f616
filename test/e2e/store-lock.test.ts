import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { sha256 } from "../lib/images/blob.ts";
import { type BuiltManifest, manifestFor } from "../lib/images/image.ts";
import { pushImage } from "../lib/images/push.ts";
import { randomImages } from "../lib/images/samples.ts";
import { program, syncer } from "../lib/nearlayer.ts";
import { type Gate, startGate } from "../lib/peers/gate.ts";
import { type Registry, startRegistry } from "../lib/peers/registry.ts";
import { type TemporaryFolder, temporaryFolder } from "../lib/process/folder.ts";
import { expectOk } from "../lib/process/run.ts";
import { until } from "../lib/process/until.ts";
import { whyNot } from "../lib/requirements.ts";

const missing = await whyNot("registry");
/** How far the first layer comes before the test acts. */
const HELD_AT = 40_000;

describe.skipIf(missing !== undefined)(`a sync in the middle of a download (${missing ?? "docker-registry"})`, () => {
  let folder: TemporaryFolder;
  let registry: Registry;
  let image: BuiltManifest;
  let gate: Gate;
  let config: string;
  let root: string;
  let round = 0;

  beforeAll(async () => {
    folder = await temporaryFolder("lock");
    registry = await startRegistry({ dir: await folder.at("registry") });
    const images = randomImages({
      seed: "lock",
      count: 1,
      kind: "docker-manifest",
      architectures: ["amd64"],
      layers: 1,
    });
    for await (const built of images) {
      await pushImage(registry.url, "fedora/app", "40", built);
      image = manifestFor(built, "amd64");
    }
  });
  afterAll(async () => {
    await registry?.stop();
    await folder?.[Symbol.asyncDispose]();
  });

  let sync: { readonly pid: number; readonly ended: Promise<{ code: number; stdout: string; stderr: string }> };

  beforeEach(async (context) => {
    round += 1;
    const dir = await folder.at(`site${round}`);
    [config, root] = [join(dir, "nearlayer.yaml"), join(dir, "root")];
    gate = await startGate(registry.url);
    context.onTestFinished(() => gate[Symbol.asyncDispose]());
    const source = { url: gate.url, repositories: ["fedora/*"], timeout: "30s" };
    await writeFile(config, stringify({ catalog: "catalog.db", root: "root", source }));
    gate.holdBlobsAfter(HELD_AT);
    const [node, bin] = program("syncer");
    const child = spawn(node, [bin, "sync", "--config", config], { stdio: ["ignore", "pipe", "pipe"] });
    context.onTestFinished(() => void child.kill("SIGKILL"));
    const ended = Promise.all([once(child, "close"), text(child.stdout), text(child.stderr)]).then(
      ([[code], stdout, stderr]) => ({ code: code as number, stdout, stderr }),
    );
    sync = { pid: child.pid ?? 0, ended };
    await gate.held;
  });

  const layer = () => image.layers[0]?.digest ?? "";
  const download = () => join(root, "store/ingest", layer().slice("sha256:".length), "data");

  test("a second syncer is told who works, and leaves the first in peace", async () => {
    for (const command of [["sync"], ["gc"], ["delete", layer()]]) {
      const second = await syncer(config, command);
      expect(second.exitCode, command[0]).toBe(5);
      expect(second.stderr).toMatch(new RegExp(`^error: .* is in use by syncer sync \\(process ${sync.pid} on `, "m"));
    }
    gate.open();
    expect(await sync.ended).toMatchObject({ code: 0, stdout: expect.stringContaining("1 updated") });
    expectOk(await syncer(config, ["sync"]));
  });

  test("what only looks, and what only adds, works beside it; the blob under way is waited for, not fetched again", async () => {
    expect(JSON.parse(expectOk(await syncer(config, ["active", "--json"])).stdout)).toMatchObject([
      { digest: layer(), state: "running" },
    ]);
    expectOk(await syncer(config, ["images"]));
    const content = "something else";
    const other = sha256(Buffer.from(content));
    expectOk(await syncer(config, ["ingest", "--expected-digest", other], { input: content }));

    const fetching = syncer(config, ["fetch", "fedora/app", layer()]);
    const asked = () => gate.requests.filter(({ path }) => path.endsWith(layer()));
    // It has asked for the manifest's repository by now, or waits: either way the blob is not asked for twice.
    await syncer(config, ["active"]);
    gate.open();
    expectOk(await fetching);
    expect((await sync.ended).code).toBe(0);
    expect(asked()).toHaveLength(1);
  });

  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    test(`${signal} ends it in order: what came stays, and the next run goes on from there`, async () => {
      await until(async () => (await stat(download())).size > 0, { what: "something of the layer to be on disk" });
      process.kill(sync.pid, signal);
      const ended = await sync.ended;
      expect(ended).toMatchObject({ code, stdout: "" });
      expect(ended.stderr).toBe(`ended by ${signal}; the same command goes on where it stopped\n`);
      const { size } = await stat(download());
      expect(size).toBeGreaterThan(0);
      expect(await readdir(join(root, "pub")).catch(() => [])).toEqual([]);

      gate.open();
      expectOk(await syncer(config, ["sync"]));
      expect(gate.requests.filter(({ path }) => path.endsWith(layer())).map(({ range }) => range)).toEqual([
        undefined,
        `bytes=${size}-`,
      ]);
    });
  }
});
