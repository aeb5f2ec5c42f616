import { chmod, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { randomBytes } from "../lib/images/layer.ts";
import { blobAt } from "../lib/mirror-rig.ts";
import { createMirrorScript, installMirrorScript, type MirrorScript, shells } from "../lib/peers/mirror-script.ts";
import { type RsyncDaemon, startMaster } from "../lib/peers/rsyncd.ts";
import { startTcpGate, type TcpGate } from "../lib/peers/tcp-gate.ts";
import { type TemporaryFolder, temporaryFolder } from "../lib/process/folder.ts";
import { expectOk, run, runOk } from "../lib/process/run.ts";
import { createPublishedTree, type PublishedTree } from "../lib/published-tree.ts";
import { whyNot } from "../lib/requirements.ts";

const BLOBS = 100_000;
const PATIENCE = { timeout: 600_000 };
const missing = (await whyNot("rsync")) ?? (await whyNot("busybox"));
const isRoot = process.getuid?.() === 0;

/** What a sync of a large tree moves and reads. */
describe.skipIf(missing !== undefined)(`a tree of ${BLOBS} blobs (${missing ?? "rsync"})`, PATIENCE, () => {
  let folder: TemporaryFolder;
  let tree: PublishedTree;
  let master: RsyncDaemon;
  let gate: TcpGate;
  let mirrors: Record<string, MirrorScript>;

  /**
   * The mirrors have it all already, as by a plain rsync, in hardlinks to the master's. Nobody can open them: neither the
   * script nor the daemon, which both are without root's rights. What read one would fail.
   */
  beforeAll(async () => {
    folder = await temporaryFolder("cost");
    await chmod(folder.path, 0o755);
    tree = await createPublishedTree(await folder.at("tree"));
    await tree.change("linux-amd64", { add: Array.from({ length: BLOBS }, (_, index) => `blob ${index}`) });
    await tree.change("linux-arm64", { add: ["small"] });
    await runOk("find", [tree.root, "-type", "f", "-path", "*/blobs/*", "-exec", "chmod", "0", "{}", "+"], PATIENCE);
    master = await startMaster({ dir: await folder.at("master"), config: tree.config });
    gate = await startTcpGate(master.port);
    const script = await installMirrorScript(await folder.at("usr"));
    const made = (await shells(folder.path)).map(async (shell) => {
      const dir = await folder.at(`mirror-${shell.name}`);
      const target = join(dir, "tree");
      await runOk("cp", ["-al", tree.pub, target], PATIENCE);
      if (isRoot) await runOk("find", [target, "-type", "d", "-exec", "chown", "nobody", "{}", "+"]);
      const settings = { target, master: `rsync://127.0.0.1:${gate.port}/containers/`, verifier: tree.verifier };
      const nobody = ["/usr/bin/setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--"];
      const [file = "", ...rest] = [...(isRoot ? nobody : []), ...shell.command];
      const as = { ...shell, command: [file, ...rest] as const };
      return [shell.name, await createMirrorScript({ dir, script, shell: as, settings })] as const;
    });
    mirrors = Object.fromEntries(await Promise.all(made));
  }, PATIENCE.timeout);
  afterAll(async () => {
    await gate?.[Symbol.asyncDispose]();
    await master?.stop();
    await tree?.[Symbol.asyncDispose]();
    await folder?.[Symbol.asyncDispose]();
  });

  const moved = async (action: () => Promise<unknown>) => {
    const before = gate.bytes();
    await action();
    return gate.bytes() - before;
  };
  test.each(["dash", "busybox"])("in %s: little is moved, and nothing of what is there is read", async (shell) => {
    const mirror = mirrors[shell] as MirrorScript;
    const { target } = mirror;
    const sync = async () => expectOk(await mirror.run(["sync"], PATIENCE));
    const first = join(target, blobAt("linux-amd64", "blob 0"));
    const cannot = await run("/usr/bin/setpriv", [...(isRoot ? ["--reuid=nobody"] : []), "--", "cat", first]);
    expect(cannot.stderr).toContain("Permission denied");

    // The tree of a plain rsync is taken over: every file is compared with the list.
    await sync();
    const nothing = await moved(async () => expect(await sync()).toMatchObject({ stdout: "", stderr: "" }));
    const image = ["config", "layer", "other layer"].map((name, index) =>
      randomBytes(`${shell} ${name}`, index === 0 ? 2000 : 700_000),
    );
    await tree.change("linux-amd64", { add: image });
    const one = await moved(sync);
    for (const blob of image) expect((await stat(join(target, blobAt("linux-amd64", blob)))).size).toBe(blob.length);
    const own = image.reduce((sum, { length }) => sum + length, 0);
    expect(nothing).toBeLessThan(20_000);
    expect(one - own).toBeLessThan(100_000);
  });
});
