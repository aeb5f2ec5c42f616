import { chmod, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { digestOf } from "@nearlayer/shared/digest";
import { beforeEach, describe, expect, test } from "vitest";
import { pushImage } from "../lib/images/push.ts";
import { randomImages } from "../lib/images/samples.ts";
import { blobAt, type MirrorRig, useRigShop } from "../lib/mirror-rig.ts";
import { createMirrorScript } from "../lib/peers/mirror-script.ts";
import { startRegistry } from "../lib/peers/registry.ts";
import { startMaster } from "../lib/peers/rsyncd.ts";
import { expectOk, runOk } from "../lib/process/run.ts";
import { skipUnless, whyNot } from "../lib/requirements.ts";
import { createSite } from "../lib/site.ts";
import { readTree } from "../lib/tree.ts";

const missing = (await whyNot("rsync")) ?? (await whyNot("busybox"));

/** `nearlayer-mirror sync` against a real daemon with the configuration that the syncer writes. */
describe.skipIf(missing !== undefined).each(["dash", "busybox"])(`a mirror in %s (${missing ?? "rsync"})`, (shell) => {
  const shop = useRigShop(shell);
  let rig: MirrorRig;

  /** Each test has a master with two platforms, and a mirror that has nothing yet. */
  beforeEach(async () => {
    rig = await shop().rig();
    await rig.tree.change("linux-amd64", { add: ["one", "two", "shared"] });
    await rig.tree.change("linux-arm64", { add: ["three", "shared"] });
    return () => rig[Symbol.asyncDispose]();
  });

  /** So that a delta is smaller than the list. */
  const fill = () =>
    rig.tree.change("linux-amd64", { add: Array.from({ length: 100 }, (_, index) => `filler ${index}`) });
  /** Each file with its inode and the time of its last change. */
  const everyFile = async () => {
    const args = [rig.mirror.target, "-path", "*/.nearlayer", "-prune", "-o", "-printf", "%p %i %C@\n"];
    return (await runOk("find", args)).stdout;
  };
  const inodeOf = async (platform: string, content: string) => {
    const { ino } = await stat(join(rig.mirror.target, blobAt(platform, content)));
    return ino;
  };
  const generationOf = (platform: string) =>
    readFile(join(rig.mirror.target, "zz-state", platform, "GENERATION"), "utf8").catch(() => undefined);

  test("a first sync brings the tree, and says so", async () => {
    const { stdout, stderr } = expectOk(await rig.sync());
    expect(stderr).toBe("");
    expect(stdout).toBe(
      "linux-amd64: generation 0 → 1: 3 blobs, 12 B new\nlinux-arm64: generation 0 → 1: 2 blobs, 11 B new",
    );
    await rig.expectSame();
    const { mode, mtimeMs } = await stat(join(rig.mirror.target, blobAt("linux-amd64", "one")));
    const there = await stat(join(rig.tree.pub, blobAt("linux-amd64", "one")));
    expect([mode & 0o777, mtimeMs]).toEqual([0o444, there.mtimeMs]);
    expect(await readdir(join(rig.mirror.target, ".nearlayer"))).not.toContain("incoming");
  });

  test("what two platforms have is fetched once, and is one file, whenever the second one gets it", async () => {
    const first = await rig.sent(async () => expectOk(await rig.sync()));
    const hex = digestOf(Buffer.from("shared")).slice(7);
    expect(first.filter((path) => path.endsWith(hex))).toHaveLength(1);
    expect(await inodeOf("linux-amd64", "shared")).toBe(await inodeOf("linux-arm64", "shared"));

    await rig.tree.change("linux-arm64", { add: ["one"] });
    await rig.tree.change("noarch", { add: ["one"] });
    const second = await rig.sent(async () => expectOk(await rig.sync()));
    expect(second.filter((path) => path.includes("/blobs/"))).toEqual([]);
    expect(await inodeOf("linux-amd64", "one")).toBe(await inodeOf("linux-arm64", "one"));
    await rig.expectSame();
  });

  test("when nothing is new, GENERATION alone is looked at, and nothing is said", async () => {
    await rig.sync();
    const before = await everyFile();
    const sent = await rig.sent(async () =>
      expect(await rig.sync()).toMatchObject({ exitCode: 0, stdout: "", stderr: "" }),
    );
    expect(sent).toEqual(["zz-state/linux-amd64/GENERATION", "zz-state/linux-arm64/GENERATION"]);
    expect(await everyFile()).toBe(before);
  });

  test("what is new comes by deltas, and what was dropped goes", async () => {
    await fill();
    await rig.sync();
    await rig.tree.change("linux-amd64", { add: ["four", "five"], drop: [digestOf(Buffer.from("one"))] });
    await rig.tree.change("linux-amd64", { add: ["six", "one"], drop: [digestOf(Buffer.from("four"))] });
    await rig.tree.change("linux-amd64", { drop: [digestOf(Buffer.from("two"))] });
    const sent = await rig.sent(async () => {
      const { stdout } = expectOk(await rig.sync());
      expect(stdout).toBe("linux-amd64: generation 2 → 5: 2 blobs, 7 B new\n1 blobs deleted");
    });
    expect(sent).toEqual(
      [
        ...["five", "six"].map((content) => blobAt("linux-amd64", content)),
        ...["2-3", "3-4", "4-5"].map((name) => `zz-state/linux-amd64/delta-${name}.gz`),
        ...["linux-amd64", "linux-arm64"].map((platform) => `zz-state/${platform}/GENERATION`),
      ].sort(),
    );
    await rig.expectSame();
    await expect(stat(join(rig.mirror.target, blobAt("linux-amd64", "two")))).rejects.toThrow("ENOENT");
  });

  test("a delta that is gone, and one that is not what it says, are made good by the list", async () => {
    await fill();
    await rig.sync();
    const state = join(rig.tree.pub, "zz-state/linux-amd64");
    await rig.tree.change("linux-amd64", { add: ["four"] });
    await rig.tree.change("linux-amd64", { add: ["five"] });
    await rm(join(state, "delta-2-3.gz"));
    expect(await rig.sent(async () => expectOk(await rig.sync()))).toContain("zz-state/linux-amd64/list-4.gz");
    await rig.expectSame();

    await rig.tree.change("linux-amd64", { add: ["six"] });
    await writeFile(join(state, "delta-4-5.gz"), await readFile(join(state, "delta-3-4.gz")));
    const names = await rig.sent(async () => expectOk(await rig.sync()));
    expect(names).toEqual(
      expect.arrayContaining(["delta-4-5.gz", "list-5.gz"].map((name) => `zz-state/linux-amd64/${name}`)),
    );
    await rig.expectSame();
  });

  test("some platforms, by the configuration or by the module", async () => {
    await rig.mirror.configure({ platforms: "linux-arm64" });
    expectOk(await rig.sync());
    expect((await rig.shown()).generations).toEqual({ "linux-arm64": 1 });
    await rig.mirror.configure({ platforms: "linux-arm64, linux-riscv64" });
    const { exitCode, stderr } = await rig.sync();
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining("linux-riscv64: the master has no such platform")]);

    const single = await shop().rig({
      settings: { master: `${rig.master.url}linux-amd64/`, verifier: rig.tree.verifier },
    });
    await using _ = single;
    // The module came with a platform that was published after the master was started.
    await single.mirror.configure({ master: `${rig.master.url}containers/`, platforms: "linux-amd64" });
    expectOk(await single.sync());
    expect((await single.shown()).generations).toEqual({ "linux-amd64": 1 });
  });

  test("a tree that a plain rsync made is taken over as it is, and what that left out is brought", async () => {
    await runOk("rsync", ["-aH", `${rig.master.url}containers/`, `${rig.mirror.target}/`]);
    const inode = await inodeOf("linux-amd64", "one");
    const sent = await rig.sent(async () => expectOk(await rig.sync()));
    expect(sent.filter((path) => path.includes("/blobs/"))).toEqual([]);
    expect(await inodeOf("linux-amd64", "one")).toBe(inode);
    // Of the same size as the next one, as a rule: its time is all that a plain rsync and an ETag tell it by.
    const timeIn = async (tree: string) => (await stat(join(tree, "zz-state/linux-amd64/GENERATION"))).mtimeMs;
    expect(await timeIn(rig.mirror.target)).toBe(await timeIn(rig.tree.pub));

    // One that ran while the master published: the state is new, a blob is not there.
    await rig.tree.change("linux-amd64", { add: ["late"] });
    await runOk("rsync", ["-aH", `${rig.master.url}containers/`, `${rig.mirror.target}/`]);
    await rm(join(rig.mirror.target, blobAt("linux-amd64", "late")));
    await rm(join(rig.mirror.target, blobAt("linux-amd64", "one")));
    expectOk(await rig.sync());
    await rig.expectSame();
  });

  test("too many deletions are held back, and everything else is done", async () => {
    await rig.sync();
    await rig.mirror.configure({ "max-delete": "1" });
    await rig.tree.change("linux-amd64", {
      add: ["new"],
      drop: ["one", "two"].map((content) => digestOf(Buffer.from(content))),
    });
    for (const _ of ["the first time", "and when nothing is new"]) {
      const { exitCode, stderr } = await rig.sync();
      expect(exitCode).toBe(6);
      expect(stderr).toContain("2 files are to be deleted, more than 1: none was\nhint: ");
      expect(stderr).toContain("nearlayer-mirror sync --max-delete 2");
      await stat(join(rig.mirror.target, blobAt("linux-amd64", "one")));
    }
    expect(await generationOf("linux-amd64")).toContain("number: 2\n");
    // What has come back meanwhile is not due any more.
    await rig.tree.change("linux-amd64", { add: ["one"] });
    expect((await rig.sync()).exitCode).toBe(0);
    await rig.expectSame();
  });

  test("without a bound of its own, a tenth of the tree may go, and 1,000 files at least", async () => {
    const many = Array.from({ length: 1200 }, (_, index) => `many ${index}`);
    await rig.tree.change("linux-amd64", { add: many });
    expectOk(await rig.sync());
    await rig.tree.change("linux-amd64", {
      drop: many.slice(0, 1001).map((content) => digestOf(Buffer.from(content))),
    });
    const { exitCode, stderr } = await rig.sync();
    expect([exitCode, stderr]).toEqual([6, expect.stringContaining("1001 files are to be deleted, more than 1000")]);
    expectOk(await rig.sync("--max-delete", "1001"));
    await rig.expectSame();
  });

  test("--full brings back what was lost, and takes away what is in no list", async () => {
    await rig.sync();
    const [lost, useless] = [blobAt("linux-amd64", "one"), blobAt("linux-amd64", "two").replace(/.$/, "x")];
    await rm(join(rig.mirror.target, lost));
    const extra = join(rig.mirror.target, blobAt("linux-amd64", "two").replace(/[0-9a-f]{4}$/, "0000"));
    await writeFile(extra, "");
    await writeFile(join(rig.mirror.target, useless), "not a blob's name");
    await writeFile(join(rig.mirror.target, "README"), "the admin's own");
    const sent = await rig.sent(async () => expectOk(await rig.sync("--full")));
    expect(sent.filter((path) => path.includes("/blobs/"))).toEqual([lost]);
    await expect(stat(extra)).rejects.toThrow("ENOENT");
    for (const name of [useless, "README"]) await rm(join(rig.mirror.target, name));
    await rig.expectSame();
  });

  test("--dry-run says what would come, and changes nothing", async () => {
    const { stdout } = expectOk(await rig.sync("--dry-run"));
    expect(stdout).toContain("linux-arm64: generation 0 → 1, 2 blobs came, 0 went");
    expect(stdout).toContain("to be fetched: 4 blobs, 17 B; to be linked: 1");
    expect(await readdir(rig.mirror.target)).toEqual([".nearlayer"]);
  });

  test("a master that was set back is followed only when the admin says so", async () => {
    const [state, kept] = [join(rig.tree.pub, "zz-state/linux-amd64"), join(rig.dir, "kept")];
    await runOk("cp", ["-a", state, kept]);
    await rig.tree.change("linux-amd64", { add: ["new"] });
    await rig.sync();
    await rm(state, { recursive: true });
    await runOk("cp", ["-a", kept, state]);
    const { exitCode, stderr } = await rig.sync();
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining("generation 1 is older than 2")]);
    expect(await generationOf("linux-amd64")).toContain("number: 2\n");
    expectOk(await rig.sync("--allow-older"));
    expect(await generationOf("linux-amd64")).toContain("number: 1\n");
    expect((await rig.sync()).exitCode).toBe(0);
  });

  test("verify names what is wrong, and --repair brings it again", async () => {
    await rig.sync();
    expectOk(await rig.mirror.run(["verify", "--hash"]));
    const [bad, short] = ["one", "three"].map((content, index) =>
      join(rig.mirror.target, blobAt(index === 0 ? "linux-amd64" : "linux-arm64", content)),
    ) as [string, string];
    await chmod(bad, 0o644);
    await writeFile(bad, "0ne");
    await chmod(short, 0o644);
    await writeFile(short, "");
    const sizes = await rig.mirror.run(["verify"]);
    expect([sizes.exitCode, sizes.stdout]).toEqual([
      2,
      expect.stringContaining("linux-arm64: generation 1, 2 blobs: 1 wrong"),
    ]);
    const hashes = await rig.mirror.run(["verify", "--hash"]);
    expect([hashes.exitCode, hashes.stderr]).toEqual([2, expect.stringContaining("2 files are wrong")]);
    await rm(join(rig.mirror.target, "zz-state/linux-arm64/list-1.gz"));
    expect((await rig.mirror.run(["verify"])).stderr).toContain("linux-arm64: its list is gone or broken");
    expectOk(await rig.mirror.run(["verify", "--hash", "--repair"]));
    expectOk(await rig.mirror.run(["verify", "--hash"]));
    await rig.expectSame();
  });

  test("what a real sync published", async (context) => {
    await skipUnless(context, "registry");
    await using registry = await startRegistry({ dir: await shop().folder.at(`registry-${shell}`) });
    const site = await createSite(await shop().folder.at(`site-${shell}`), { url: registry.url });
    const dir = await shop().folder.at(`site-${shell}`, "mirror");
    const images = await Array.fromAsync(randomImages({ seed: `mirror ${shell}`, count: 2 }));
    const push = async (index: number) => {
      await pushImage(registry.url, "fedora/app", String(index), images[index] as (typeof images)[0]);
      expectOk(await site.sync());
    };
    await push(0);
    await using master = await startMaster({
      dir: await shop().folder.at(`site-${shell}`, "master"),
      config: site.config,
    });
    const settings = { master: `${master.url}containers/` };
    const mirror = await createMirrorScript({ dir, script: shop().script, shell: shop().shell, settings });
    expectOk(await mirror.run(["sync"]));
    await push(1);
    expectOk(await mirror.run(["sync"]));
    expect(await readTree(mirror.target, { isTarget: true })).toEqual(await readTree(join(site.root, "pub")));
  });
});
