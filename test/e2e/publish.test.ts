import { mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type BuiltImage, buildImage, manifestFor } from "../lib/images/image.ts";
import { randomLayer } from "../lib/images/layer.ts";
import { pushImage } from "../lib/images/push.ts";
import { randomImages } from "../lib/images/samples.ts";
import { type Registry, startRegistry } from "../lib/peers/registry.ts";
import { type RsyncDaemon, startRsyncDaemon } from "../lib/peers/rsyncd.ts";
import { startSshd } from "../lib/peers/sshd.ts";
import { type TemporaryFolder, temporaryFolder } from "../lib/process/folder.ts";
import { freePort } from "../lib/process/ports.ts";
import { expectOk, run, runOk } from "../lib/process/run.ts";
import { skipUnless, whyNot } from "../lib/requirements.ts";
import { createSite, publishedBlobs, type Site } from "../lib/site.ts";

interface PublishReport {
  readonly targets: readonly {
    readonly destination: string;
    readonly ok: boolean;
    readonly pass?: string;
    readonly files?: number;
    readonly deleted?: number;
    readonly foreign?: number;
    readonly lost?: number;
    readonly message?: string;
    readonly hint?: string;
  }[];
}

const missing = (await whyNot("registry")) ?? (await whyNot("rsync"));

/** Publishing to real rsync daemons, over ssh and to a folder; what crossed is what the daemon wrote down. */
describe.skipIf(missing !== undefined)(`publishing (${missing ?? "docker-registry and rsync"})`, () => {
  let folder: TemporaryFolder;
  let registry: Registry;
  let daemon: RsyncDaemon;
  let site: Site;
  let images: BuiltImage[];
  let target: string;
  let master: string;
  let round = 0;

  beforeAll(async () => {
    folder = await temporaryFolder("publish");
    registry = await startRegistry({ dir: await folder.at("registry") });
    images = await Array.fromAsync(randomImages({ seed: "publish", count: 3, layerSize: 100_000, sharedLayers: 1 }));
    const path = await folder.at("masters");
    const modules = [
      { name: "masters", path, readOnly: false },
      { name: "readonly", path },
    ];
    daemon = await startRsyncDaemon({ dir: await folder.at("rsyncd"), modules });
  });
  afterAll(async () => {
    await daemon?.stop();
    await registry?.stop();
    await folder?.[Symbol.asyncDispose]();
  });

  /** Each test has a site with one image, and a folder of the master's, of its own. */
  beforeEach(async () => {
    round += 1;
    const repository = `round${round}/app`;
    site = await createSite(await folder.at(`site${round}`), { url: registry.url, repositories: [repository] });
    master = await folder.at("masters", `round${round}`);
    target = `${daemon.url}masters/round${round}/`;
    await site.configure({}, { publish: { targets: [target] } });
    await push(0);
  });

  async function push(index: number, tag = String(index)): Promise<BuiltImage> {
    const image = images[index] as BuiltImage;
    await pushImage(registry.url, `round${round}/app`, tag, image);
    expectOk(await site.sync());
    return image;
  }

  const publish = (...args: string[]) => site.run<PublishReport>("publish", ...args);
  /** What the daemon received, below the target's folder. */
  const received = async (action: () => Promise<unknown>) => {
    const mark = await daemon.transfers.mark();
    await action();
    const entries = await daemon.transfers.entries(mark);
    return entries.filter(({ operation }) => operation === "recv").map(({ path }) => path.replace(/^round\d+\//, ""));
  };
  const blobs = (paths: readonly string[]) =>
    paths.flatMap((path) => {
      const [, platform, hex] = /^([^/]+)\/blobs\/sha256\/..\/([0-9a-f]{64})$/.exec(path) ?? [];
      return platform === undefined ? [] : [`${platform} sha256:${hex}`];
    });
  const generationAt = (root: string) => readFile(join(root, "zz-state/linux-amd64/GENERATION"), "utf8");
  const same = (a: string, b: string) => run("diff", ["-r", a, b]);
  const pathOf = (root: string, digest: string, platform = "linux-amd64") =>
    join(root, platform, "blobs/sha256", digest.slice(7, 9), digest.slice(7));

  test("blobs go first, lists after them, and GENERATION at the very end", async () => {
    const paths = await received(async () => expectOk(await publish()));
    expect(blobs(paths).sort()).toEqual(publishedBlobs(images[0] as BuiltImage));
    const kinds = paths.map((path) => (path.includes("/blobs/") ? 0 : path.endsWith("GENERATION") ? 2 : 1));
    expect(kinds).toEqual([...kinds].sort());
    expect(kinds.filter((kind) => kind === 2)).toHaveLength(2);
    expect(await same(join(site.root, "pub"), master)).toMatchObject({ exitCode: 0 });
  });

  test("what has not changed is not looked at, and a push carries its own blobs alone", async () => {
    await publish();
    expect(await received(publish)).toEqual([]);
    expect((await publish()).report.targets).toMatchObject([{ ok: true, pass: "nothing" }]);
    // Only a run that compares the whole tree would find this, and that is not what a push is for.
    const [lost = ""] = publishedBlobs(images[0] as BuiltImage).map((name) => name.split(" ")[1] ?? "");
    await rm(pathOf(master, lost), { force: true });

    const image = await push(1);
    const paths = await received(async () =>
      expect((await publish()).report.targets).toMatchObject([{ pass: "changes" }]),
    );
    const before = new Set(publishedBlobs(images[0] as BuiltImage));
    expect(blobs(paths).sort()).toEqual(publishedBlobs(image).filter((blob) => !before.has(blob)));
    expect(await generationAt(master)).toContain("number: 2\n");

    const again = await received(async () => expectOk(await publish("--full")));
    expect(blobs(again).map((name) => name.split(" ")[1])).toContain(lost);
    expect(await same(join(site.root, "pub"), master)).toMatchObject({ exitCode: 0 });
  });

  test("a blob that comes to another platform is a name more at the target, and not sent again", async () => {
    const shared = await randomLayer("publish shared", 500_000);
    const of = (architecture: string) =>
      buildImage("oci-manifest", [{ platform: { os: "linux", architecture }, layers: [shared] }]);
    await pushImage(registry.url, `round${round}/app`, "amd64", of("amd64"));
    expectOk(await site.sync());
    await publish();
    await pushImage(registry.url, `round${round}/app`, "arm64", of("arm64"));
    expectOk(await site.sync());
    const { report } = await publish();
    expect(report.targets).toMatchObject([{ pass: "changes" }]);
    const inodes = ["linux-amd64", "linux-arm64"].map(async (platform) => {
      const { ino } = await stat(pathOf(master, shared.digest, platform));
      return ino;
    });
    const [amd64, arm64] = await Promise.all(inodes);
    expect(amd64).toBe(arm64);
  });

  test("a target that was emptied is filled, one that another syncer filled is left alone", async () => {
    await publish();
    await rm(master, { recursive: true });
    await mkdir(master);
    expect((await publish()).report.targets).toMatchObject([{ ok: true, pass: "full" }]);
    expect(await same(join(site.root, "pub"), master)).toMatchObject({ exitCode: 0 });

    const other = await createSite(await folder.at(`other${round}`), {
      url: registry.url,
      repositories: [`round${round}/app`],
    });
    await other.configure({ platforms: ["linux-arm64"] }, { publish: { targets: [target] } });
    expectOk(await other.sync());
    const { exitCode, report } = await other.run<PublishReport>("publish");
    expect([exitCode, report.targets[0]?.message]).toEqual([2, expect.stringContaining("this catalog has not made")]);
    expect(await same(join(site.root, "pub"), master)).toMatchObject({ exitCode: 0 });
  });

  test("files of others stay, and what no generation holds goes with --full, within the bound", async () => {
    await publish();
    const useless = ["1", "2"].map((digit) => pathOf(master, `sha256:${digit.repeat(64)}`));
    const leftover = pathOf(master, `sha256:${"1".repeat(64)}`).replace(/([^/]+)$/, ".$1.AbCdEf");
    for (const path of [...useless, leftover, join(master, "README")]) {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, "");
    }
    const bounded = await publish("--full", "--max-delete", "2");
    expect(bounded.exitCode).toBe(2);
    expect(bounded.report.targets[0]?.message).toContain("3 files are to be deleted, more than 2: none was");
    for (const path of useless) await stat(path);

    expect((await publish("--full")).report.targets).toMatchObject([{ ok: true, deleted: 3, foreign: 1 }]);
    for (const path of [...useless, leftover]) await expect(stat(path)).rejects.toThrow("ENOENT");
    await stat(join(master, "README"));
  });

  test("a blob that the tree has lost is not deleted at the target, and its loss is told", async () => {
    await publish();
    const { digest } = manifestFor(images[0] as BuiltImage, "amd64").layers[0] as { digest: string };
    await rm(pathOf(join(site.root, "pub"), digest));
    expect((await publish("--full")).report.targets).toMatchObject([{ ok: true, deleted: 0, lost: 1 }]);
    await stat(pathOf(master, digest));
  });

  test("each target has its own result, with rsync's own words", async (context) => {
    await skipUnless(context, "ssh");
    const full = await folder.at("masters", `full${round}`);
    await runOk("mount", ["-t", "tmpfs", "-o", "size=200k", "tmpfs", full]);
    try {
      const refused = await freePort();
      const targets = [
        target,
        `${daemon.url}nosuchmodule/`,
        `${daemon.url}readonly/`,
        `rsync://127.0.0.1:${refused}/masters/`,
        `${daemon.url}masters/full${round}/`,
        "nobody@127.0.0.1:/srv/pub/",
      ];
      await site.configure({}, { publish: { targets, ssh: { port: refused } } });
      const { exitCode, report, stderr } = await publish();
      expect([exitCode, stderr]).toEqual([2, ""]);
      expect(report.targets.map(({ ok, message }) => (ok ? "" : message))).toEqual([
        "",
        expect.stringMatching(/@ERROR: Unknown module 'nosuchmodule' .*exit 5]/),
        expect.stringMatching(/module is read only .*exit 1\d?]/),
        expect.stringMatching(/Connection refused \(111\) \[the connection failed, exit 10]/),
        expect.stringMatching(/No space left on device \(28\)/),
        expect.stringMatching(/ssh: connect to host 127.0.0.1 port \d+: Connection refused .*exit \d+]/),
      ]);
      expect(await same(join(site.root, "pub"), master)).toMatchObject({ exitCode: 0 });
      // The state never goes where the blobs did not.
      await expect(stat(join(full, "zz-state"))).rejects.toThrow("ENOENT");
    } finally {
      await runOk("umount", [full]);
    }
  });

  test("over ssh, to a folder, and through a password: the same tree", async (context) => {
    await skipUnless(context, "ssh");
    const dir = await folder.at(`ssh${round}`);
    await using sshd = await startSshd({ dir });
    await writeFile(join(dir, "secrets"), "push:pass word\n", { mode: 0o600 });
    await writeFile(join(dir, "password"), "pass word\n", { mode: 0o600 });
    const guarded = await folder.at(`guarded${round}`);
    const settings = ["auth users = push", `secrets file = ${join(dir, "secrets")}`];
    await using second = await startRsyncDaemon({
      dir: await folder.at(`rsyncd${round}`),
      modules: [{ name: "guarded", path: guarded, readOnly: false, settings }],
    });
    const [overSsh, local] = [join(dir, "tree"), join(dir, "local")];
    const targets = [`${sshd.user}@127.0.0.1:${overSsh}/`, local, `rsync://push@127.0.0.1:${second.port}/guarded/`];
    const { identityFile, knownHostsFile, port } = sshd;
    const ssh = { port, identityFile, knownHostsFile };
    await site.configure({}, { publish: { targets, ssh, passwordFile: join(dir, "password") } });
    for (const index of [1, 2]) {
      await push(index);
      expectOk(await publish());
      for (const root of [overSsh, local, guarded]) {
        expect(await same(join(site.root, "pub"), root)).toMatchObject({ exitCode: 0 });
      }
    }
    expect((await publish()).report.targets.map(({ pass }) => pass)).toEqual(["nothing", "nothing", "nothing"]);
  });

  test("nothing is published before anything was synced", async () => {
    const empty = await createSite(await folder.at(`empty${round}`), { url: registry.url });
    await empty.configure({}, { publish: { targets: [target] } });
    const { exitCode, stderr } = await empty.run("publish");
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining("nothing to publish")]);
  });
});
