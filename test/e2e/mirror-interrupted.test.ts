import { open, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { digestOf } from "@nearlayer/shared/digest";
import { beforeEach, describe, expect, test } from "vitest";
import { randomBytes } from "../lib/images/layer.ts";
import { blobAt, contentNamed, type MirrorRig, sizeOf, useRigShop } from "../lib/mirror-rig.ts";
import { expectOk } from "../lib/process/run.ts";
import { until } from "../lib/process/until.ts";
import { whyNot } from "../lib/requirements.ts";
import { mountSmallDisk, whyNoSmallDisk } from "../lib/small-disk.ts";

const missing = (await whyNot("rsync")) ?? (await whyNot("busybox"));
const noSmallDisk = await whyNoSmallDisk();

/** What happens to a sync while it is at work: kills, a second one, a master that publishes, a disk that is full. */
describe.skipIf(missing !== undefined).each(["dash", "busybox"])(`a sync in %s (${missing ?? "rsync"})`, (shell) => {
  const shop = useRigShop(shell);
  let rig: MirrorRig;
  const large = randomBytes("large", 8_000_000);
  const largeHex = digestOf(large).slice(7);

  /** A master with a blob that takes seconds, and a mirror that has all but that. */
  beforeEach(async () => {
    rig = await shop().rig();
    await rig.tree.change("linux-amd64", { add: ["one", "two"] });
    expectOk(await rig.sync());
    return () => rig[Symbol.asyncDispose]();
  });

  const slowly = () => rig.mirror.configure({ "bandwidth-limit": "1500" });
  const quickly = () => rig.mirror.configure({ "bandwidth-limit": undefined });
  const incoming = (hex: string) => join(rig.mirror.target, ".nearlayer/incoming", hex);
  /** Resolves once so much of the large blob is there. */
  const underWay = (bytes = 1_000_000) =>
    until(async () => (await sizeOf(incoming(largeHex))) > bytes, { what: "the large blob to be under way" });
  const generation = () => readFile(join(rig.mirror.target, "zz-state/linux-amd64/GENERATION"), "utf8");

  test.each(["SIGKILL", "SIGTERM"] as const)("%s in the middle of a blob: it goes on from there", async (signal) => {
    await rig.tree.change("linux-amd64", { add: [large, "small"] });
    await slowly();
    const started = rig.mirror.start(["sync"]);
    await underWay();
    process.kill(signal === "SIGTERM" ? started.pid : -started.pid, signal);
    const { exitCode } = await started.ended;
    if (signal === "SIGTERM") expect(exitCode).toBe(143);
    expect(await generation()).toContain("number: 1\n");
    await expect(stat(join(rig.mirror.target, blobAt("linux-amd64", large)))).rejects.toThrow("ENOENT");

    await quickly();
    const mark = await rig.master.transfers.mark();
    expectOk(await rig.sync());
    await rig.expectSame();
    const again = (await rig.master.transfers.entries(mark)).filter(({ path }) => path.includes("/blobs/"));
    const largest = again.find(({ path }) => path.endsWith(largeHex));
    expect(largest?.bytes).toBeLessThan(large.length - 900_000);
    expect(await readdir(join(rig.mirror.target, ".nearlayer"))).not.toContain("incoming");
  });

  test("what a kill has spoilt is noticed, and fetched anew", async () => {
    await rig.tree.change("linux-amd64", { add: [large] });
    await slowly();
    const started = rig.mirror.start(["sync"]);
    await underWay();
    process.kill(-started.pid, "SIGKILL");
    await started.ended;
    await using file = await open(incoming(largeHex), "r+");
    await file.write(Buffer.alloc(1000), 0, 1000, 5000);
    await quickly();
    expectOk(await rig.sync());
    await rig.expectSame();
  });

  test("when the script alone is killed, its rsync does no harm to the next run", async () => {
    await rig.tree.change("linux-amd64", { add: [large, "small"] });
    await slowly();
    const started = rig.mirror.start(["sync"]);
    await underWay();
    process.kill(started.pid, "SIGKILL");
    await quickly();
    // With flock, the lock is rsync's too: until it has ended, there is nothing to do.
    await until(async () => (await rig.sync()).exitCode === 0, { what: "a sync to go through", every: 200 });
    await rig.expectSame();
  });

  test("of two at once, one works and the other says so", async () => {
    await rig.tree.change("linux-amd64", { add: [large] });
    await slowly();
    const started = rig.mirror.start(["sync"]);
    await underWay();
    const second = await rig.sync();
    expect([second.exitCode, second.stderr]).toEqual([5, expect.stringContaining("another run is at work")]);
    expect(await rig.sync("-q")).toMatchObject({ exitCode: 5, stdout: "", stderr: "" });
    expect((await started.ended).exitCode).toBe(0);
    await rig.expectSame();
    expectOk(await rig.sync());
  });

  test("a master that publishes meanwhile: what is shown is what was read at the start", async () => {
    await rig.tree.change("linux-amd64", { add: [large] });
    await slowly();
    const started = rig.mirror.start(["sync"]);
    await underWay();
    await rig.tree.change("linux-amd64", { add: ["later"] });
    expect((await started.ended).exitCode).toBe(0);
    expect(await generation()).toContain("number: 2\n");
    await rig.shown();
    await quickly();
    expectOk(await rig.sync());
    await rig.expectSame();
  });

  test("a master that drops what is about to be fetched: the next generation is brought at once", async () => {
    const [first, last] = [contentNamed("00", "first", 4_000_000), contentNamed("ff", "last")];
    await rig.tree.change("linux-amd64", { add: [first, last] });
    await slowly();
    const started = rig.mirror.start(["sync"]);
    const hex = digestOf(first).slice(7);
    await until(async () => (await sizeOf(incoming(hex))) > 500_000, { what: "the first blob to be under way" });
    await rig.tree.change("linux-amd64", { add: ["later"], drop: [digestOf(last)] });
    const { exitCode, stderr } = await started.ended;
    expect([exitCode, stderr]).toEqual([0, ""]);
    await rig.expectSame();
    expect(await generation()).toContain("number: 3\n");
  });

  test("a master that cannot be reached", async () => {
    const port = rig.master.port;
    await rig.master.stop();
    const { exitCode, stderr } = await rig.sync();
    expect(exitCode).toBe(3);
    expect(stderr).toMatch(new RegExp(`^error: rsync://127.0.0.1:${port}/containers/: .*Connection refused.*\nhint: `));
    await rig.shown();
  });

  test.skipIf(noSmallDisk !== undefined)("a full disk: what was shown stays, and the next run goes on", async () => {
    await using disk = await mountSmallDisk(join(rig.dir, "small"), 12_000_000);
    await rig.mirror.configure({ target: disk.path });
    expectOk(await rig.sync());
    await disk.fill(3_000_000);
    await rig.tree.change("linux-amd64", { add: [large] });
    const { exitCode, stderr } = await rig.sync();
    expect([exitCode, stderr]).toEqual([4, expect.stringContaining("no space left")]);
    await disk.free();
    const mark = await rig.master.transfers.mark();
    expectOk(await rig.sync());
    const [sent] = (await rig.master.transfers.entries(mark)).filter(({ path }) => path.endsWith(largeHex));
    expect(sent?.bytes).toBeLessThan(large.length - 1_000_000);
    expect((await readFile(join(disk.path, blobAt("linux-amd64", large)))).equals(large)).toBe(true);
  });
});
