import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BuiltImage } from "../lib/images/image.ts";
import { pushImage } from "../lib/images/push.ts";
import { randomImages } from "../lib/images/samples.ts";
import { type Registry, startRegistry } from "../lib/peers/registry.ts";
import { type RsyncDaemon, startRsyncDaemon } from "../lib/peers/rsyncd.ts";
import { startTcpGate } from "../lib/peers/tcp-gate.ts";
import { type TemporaryFolder, temporaryFolder } from "../lib/process/folder.ts";
import { expectOk, run } from "../lib/process/run.ts";
import { whyNot } from "../lib/requirements.ts";
import { createSite, publishedBlobs } from "../lib/site.ts";

const missing = (await whyNot("registry")) ?? (await whyNot("rsync"));

describe.skipIf(missing !== undefined)(`beside a slow target (${missing ?? "docker-registry and rsync"})`, () => {
  let folder: TemporaryFolder;
  let registry: Registry;
  let daemon: RsyncDaemon;
  let images: BuiltImage[];

  beforeAll(async () => {
    folder = await temporaryFolder("beside");
    registry = await startRegistry({ dir: await folder.at("registry") });
    images = await Array.fromAsync(randomImages({ seed: "beside", count: 3, layerSize: 50_000 }));
    const modules = [{ name: "master", path: await folder.at("master"), readOnly: false }];
    daemon = await startRsyncDaemon({ dir: await folder.at("rsyncd"), modules });
  });
  afterAll(async () => {
    await daemon?.stop();
    await registry?.stop();
    await folder?.[Symbol.asyncDispose]();
  });

  // The state is read first; the blobs, the lists, GENERATION and the deletions have a connection each.
  test.each([
    ["blobs", 1],
    ["lists", 2],
    ["GENERATION", 3],
    ["comparison", 4],
  ])("rsync for %s is held up: syncs go on, and what they make comes with the next run", async (what, connections) => {
    const name = `held${connections}`;
    const master = await folder.at("master", name);
    const site = await createSite(await folder.at(name), { url: registry.url, repositories: [`${name}/app`] });
    await using gate = await startTcpGate(daemon.port);
    const targets = [`rsync://127.0.0.1:${gate.port}/master/${name}/`];
    await site.configure({}, { publish: { targets }, removal: { grace: "0s" } });
    const push = async (index: number, tag = String(index)) => {
      await pushImage(registry.url, `${name}/app`, tag, images[index] as BuiltImage);
      expectOk(await site.sync());
    };
    await push(0);

    gate.holdAfter(connections);
    const publishing = site.run<{ targets: { ok: boolean }[] }>("publish");
    await gate.held;
    // A new tag, and one that takes another's place.
    await push(1);
    await push(2, "0");
    const numbers = await readdir(join(site.root, "pub/zz-state/linux-amd64"));
    expect(numbers).toContain("list-3.gz");
    for (const command of ["publish", "gc"]) {
      const { exitCode, stderr } = await site.run(command);
      expect([exitCode, stderr], command).toEqual([5, expect.stringContaining("is in use by syncer publish (process")]);
    }
    gate.open();
    expect((await publishing).report.targets, what).toMatchObject([{ ok: true }]);

    // What the target shows, it has: the first generation, whole, and nothing of a later state.
    const state = join(master, "zz-state/linux-amd64");
    expect(await readFile(join(state, "GENERATION"), "utf8")).toContain("number: 1\n");
    expect((await readdir(state)).sort()).toEqual(["GENERATION", "delta-0-1.gz", "list-1.gz"]);
    const blobs = (await readdir(master, { recursive: true })).flatMap((path) => {
      const [, platform, hex] = /^([^/]+)\/blobs\/sha256\/..\/([0-9a-f]{64})$/.exec(path) ?? [];
      return platform === undefined ? [] : [`${platform} sha256:${hex}`];
    });
    expect(blobs).toEqual(expect.arrayContaining(publishedBlobs(images[0] as BuiltImage)));

    expectOk(await site.run("publish"));
    expectOk(await site.run("gc"));
    expectOk(await site.run("publish"));
    expect(await run("diff", ["-r", join(site.root, "pub"), master])).toMatchObject({ exitCode: 0 });
  });
});
