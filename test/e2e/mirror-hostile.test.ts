import { chmod, mkdir, readFile, rm, stat, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { digestOf } from "@nearlayer/shared/digest";
import { formatGeneration, sha256Hex } from "@nearlayer/shared/generation";
import { createSigner, generateKey, noteText, signNote, verifierLine } from "@nearlayer/shared/note";
import { parsePlatform } from "@nearlayer/shared/platform";
import { beforeEach, describe, expect, test } from "vitest";
import { blobAt, type MirrorRig, useRigShop } from "../lib/mirror-rig.ts";
import { expectOk } from "../lib/process/run.ts";
import { whyNot } from "../lib/requirements.ts";
import { readTree, type TreeState } from "../lib/tree.ts";

const missing = (await whyNot("rsync")) ?? (await whyNot("busybox"));
const OTHER = createSigner("other.example.org", generateKey());
const AMD64 = parsePlatform("linux-amd64");

/** A master that is not what it should be, or whose files were changed on their way. */
describe.skipIf(missing !== undefined).each(["dash", "busybox"])(`a mirror in %s (${missing ?? "rsync"})`, (shell) => {
  const shop = useRigShop(shell);
  let rig: MirrorRig;
  let before: TreeState;

  /** The mirror has generation 1 of both platforms, and the master 2. */
  beforeEach(async () => {
    rig = await shop().rig();
    await rig.tree.change("linux-amd64", { add: ["one", "two"] });
    await rig.tree.change("linux-arm64", { add: ["three"] });
    expectOk(await rig.sync());
    before = await rig.shown();
    await rig.tree.change("linux-amd64", { add: ["new"], drop: [digestOf(Buffer.from("one"))] });
    await rig.tree.change("linux-arm64", { add: ["other"] });
    return () => rig[Symbol.asyncDispose]();
  });

  const state = (name: string) => join(rig.tree.pub, "zz-state/linux-amd64", name);
  const note = () => readFile(state("GENERATION"), "utf8");
  /** Expects the platform to be as it was, the other one to be brought, and the reason to be told. */
  const expectRefused = async (reason: string | RegExp) => {
    const { exitCode, stderr } = await rig.sync();
    expect(stderr).toMatch(reason);
    expect(exitCode).toBe(2);
    const { blobs, generations } = await rig.shown();
    expect(generations).toEqual({ "linux-amd64": 1, "linux-arm64": 2 });
    const ofPlatform = (all: ReadonlySet<string>) => [...all].filter((name) => name.startsWith("linux-amd64 ")).sort();
    expect(ofPlatform(blobs)).toEqual(ofPlatform(before.blobs));
  };
  /** Shows a generation of that list, signed or not by a key of which the mirror knows nothing. */
  const forge = async (list: string, files = list.split("\n").length - 1) => {
    await rig.mirror.configure({ verifier: undefined });
    const generation = { platform: AMD64, number: 2, time: "2026-11-24T00:00:00Z", files, bytes: 0 };
    await writeFile(state("GENERATION"), formatGeneration({ ...generation, listSha256: sha256Hex(list) }));
    await writeFile(state("list-2.gz"), gzipSync(list));
    await rm(state("delta-1-2.gz"));
  };

  test("a list that GENERATION does not name", async () => {
    await writeFile(state("list-2.gz"), await readFile(state("list-1.gz")));
    await writeFile(state("delta-1-2.gz"), gzipSync(""));
    await expectRefused("linux-amd64: its list-2.gz is not the one that GENERATION names: nothing of it was installed");
  });

  test.each([
    ["of other files", (text: string) => text.replace(/files: \d+/, "files: 1"), "not signed by the key"],
    ["without a signature", noteText, "not signed by the key"],
    ["of another key", (text: string) => signNote(noteText(text), OTHER), "not signed by the key"],
    ["with the signature of another text", (text: string) => text.replace("number: 2", "number: 3"), "not signed by"],
    ["of another platform", (text: string) => text.replace("linux-amd64", "linux-arm64"), "is of another platform"],
    ["of another format", (text: string) => text.replace("generation 1", "generation 9"), "no format that is known"],
    ["with a number that is none", (text: string) => text.replace("number: 2", "number: $(id)"), "has no number"],
    ["with a hash that is none", (text: string) => text.replace(/list-sha256: ./, "list-sha256: X"), "no sha256"],
  ])("a GENERATION %s", async (_, change, reason) => {
    await writeFile(state("GENERATION"), change(await note()));
    await expectRefused(reason);
  });

  test("a signature counts by any of the keys that are configured, and keys that were changed are told", async () => {
    await writeFile(state("GENERATION"), signNote(noteText(await note()), OTHER));
    await rig.mirror.configure({ verifier: `${rig.tree.verifier}\nverifier = ${verifierLine(OTHER)}` });
    expectOk(await rig.sync());
    await rig.expectSame();
    await rig.tree.change("linux-amd64", { add: ["more"] });
    await rig.mirror.configure({ verifier: rig.tree.verifier.replace(/.{4}$/, "AAAA") });
    const { exitCode, stderr } = await rig.sync();
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining("has been changed on its way")]);
  });

  test("without openssl, nothing is taken unless the admin says that the sha256 must do", async () => {
    const bin = await shop().folder.at(`bin-${shell}`);
    const commands = [
      "sh",
      "rsync",
      "sha256sum",
      "gzip",
      "awk",
      "sed",
      "grep",
      "sort",
      "head",
      "tail",
      "cut",
      "tr",
      "wc",
    ];
    for (const name of [
      ...commands,
      "ls",
      "xargs",
      "mv",
      "rm",
      "ln",
      "cp",
      "cat",
      "cmp",
      "mkdir",
      "find",
      "chmod",
      "sync",
      "dirname",
      "mktemp",
    ]) {
      const real =
        shell === "dash" || name === "rsync" ? `/usr/bin/${name}` : join(shop().folder.path, "busybox/busybox");
      await symlink(real, join(bin, name)).catch(() => {});
    }
    const env = { PATH: bin };
    const { exitCode, stderr } = await rig.mirror.run(["sync"], { env });
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining("signatures cannot be checked")]);
    expect(await rig.shown()).toEqual(before);
    await rig.mirror.configure({ signature: "try" });
    expectOk(await rig.mirror.run(["sync"], { env }));
    await rig.expectSame();
  });

  test.each([
    ["ways out of the tree", "../../../../etc/passwd 5\n"],
    ["commands", `$(touch\${IFS}PWNED)${"a".repeat(44)} 5\n`],
    ["options", `${"-".repeat(64)} 5\n`],
    ["sizes that are none", `${"a".repeat(64)} -1\n`],
    ["more than one word", `${"a".repeat(64)} 1 x\n`],
  ])("a list with %s", async (_, list) => {
    await forge(list);
    await expectRefused("is not the one that GENERATION names");
  });

  test("a list that unpacks to more than it can be is not unpacked", async () => {
    await forge("a".repeat(300_000_000), 10);
    await expectRefused("is not the one that GENERATION names");
    expect((await stat(join(rig.mirror.target, ".nearlayer/tmp/linux-amd64/new"))).size).toBeLessThan(10_000);
  });

  test("a GENERATION of 10 GB is not fetched, and a list that is far too large neither", async () => {
    const huge = join(rig.tree.pub, "zz-state/linux-amd64/GENERATION");
    const text = await note();
    await truncate(huge, 10_000_000_000);
    await rig.mirror.configure({ platforms: "linux-amd64 linux-arm64" });
    await expectRefused("linux-amd64: the master has no such platform, or no GENERATION that could be one");
    await rm(huge);
    await writeFile(huge, text);
    await rm(state("delta-1-2.gz"));
    await truncate(state("list-2.gz"), 10_000_000_000);
    await expectRefused("its list-2.gz is not there");
  });

  test("a platform with a strange name is no folder here", async () => {
    const strange = join(rig.tree.pub, "zz-state/-rf ..$(id)");
    await mkdir(strange);
    await writeFile(join(strange, "GENERATION"), await note());
    const { exitCode, stderr } = await rig.sync();
    expect([exitCode, stderr]).toEqual([0, expect.stringContaining("a platform of a strange name")]);
  });

  test.each([
    ["wrong bytes", "n3w", "the master has wrong bytes under the name"],
    ["fewer bytes", "n", "1 blobs of generation 2 did not come"],
    ["more bytes", "new and more", "1 blobs of generation 2 did not come"],
  ])("a blob with %s never gets its name", async (_, content, reason) => {
    const path = join(rig.tree.pub, blobAt("linux-amd64", "new"));
    await rm(path);
    await writeFile(path, content);
    await expectRefused(reason);
    await rm(path);
    await writeFile(path, "new");
    await chmod(path, 0o444);
    expectOk(await rig.sync());
    expect(await rig.shown()).toEqual(await readTree(rig.tree.pub));
  });
});
