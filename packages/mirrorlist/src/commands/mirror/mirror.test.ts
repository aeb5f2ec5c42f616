import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setMirrorState } from "@nearlayer/shared/catalog/mirror-states";
import { readMirror, readMirrorChanges } from "@nearlayer/shared/catalog/mirrors";
import { openCatalog } from "@nearlayer/shared/catalog/open";
import { loadConfig } from "@nearlayer/shared/config/load";
import { proofOfToken } from "@nearlayer/shared/proof";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { add } from "./add.ts";
import { intake } from "./intake.ts";
import { listMirrors, summarizeMirrors } from "./list.ts";
import { showMirror, summarizeMirror } from "./show.ts";
import { approve, disable, enable, remove } from "./states.ts";

const BIN = join(import.meta.dirname, "..", "..", "bin.js");
const AT = "2026-11-24T12:00:00.000Z";

let folder: string;
let file: string;

async function configure(more: Record<string, unknown> = {}) {
  const mirrors = [
    { name: "own", url: "http://own.example.org/", country: "JP" },
    { name: "off", url: "http://off.example.org/", country: "JP", disabled: true },
  ];
  await writeFile(file, JSON.stringify({ catalog: join(folder, "catalog.db"), mirrors, ...more }));
}

const config = () => loadConfig(file);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "nearlayer-mirror-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  file = join(folder, "nearlayer.yaml");
  await configure();
});

async function catalog() {
  const opened = await openCatalog(config().catalog);
  onTestFinished(() => opened.destroy());
  return opened;
}

const M = { name: "m", url: "http://m.example.net/pub", country: "DE" };

/** Runs the program; an exit code that is not 0 is a result, too. */
function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [BIN, "--config", file, ...args], (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
    );
    child.stdin?.end();
  });
}

test("a name that nobody has", async () => {
  await expect(showMirror(config(), "none")).rejects.toMatchObject({
    code: "NOT_FOUND",
    message: "no mirror is called none",
    hint: "`mirrorlist mirror list` shows those that there are",
  });
});

test("the whole way on the command line: in, looked at, out of use, in use again, out", async () => {
  const yaml = join(folder, "mirror.yaml");
  await writeFile(yaml, "name: m\nurl: http://m.example.net/pub\ncountry: DE\n");
  const added = await run("--json", "mirror", "add", yaml);
  expect(added).toMatchObject({ code: 0, stderr: "" });
  const { token, proof, state } = JSON.parse(added.stdout);
  expect([state, proof]).toEqual([
    "pending",
    { url: "http://m.example.net/pub/nearlayer-mirror.txt", content: `${proofOfToken(token)}\n` },
  ]);
  const shown = await run("mirror", "show", "m");
  expect(shown.stdout).toMatch(/state +pending since .*\n +why +opted in: waiting for its proof/);
  expect(shown.stdout).not.toMatch(token);
  expect((await run("mirror", "disable", "m", "--reason", "new disks")).stdout).toBe("m is disabled: new disks\n");
  expect((await run("mirror", "list")).stdout).toMatch(/^m +disabled .* opted in +DE .*new disks$/m);
  expect((await run("mirror", "enable", "m")).stdout).toBe("m is pending: enabled: waiting for its proof\n");
  expect(await run("--json", "mirror", "remove", "m")).toMatchObject({
    code: 0,
    stdout: '{"name":"m","removed":true}\n',
  });
  expect(await run("mirror", "show", "m")).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^error: m has left the network, 2.*Z: removed by the operator\n$/),
  });
  const wrong = await run("mirror", "add", "--name", "m", "--url", "http://10.1.2.3/", "--country", "de");
  expect(wrong).toMatchObject({ code: 1, stdout: "" });
  expect(wrong.stderr).toMatch(
    "error: command line: url: a private, loopback or reserved address\nerror: command line: country: ",
  );
  for (const args of [["mirror"], ["mirror", "add"]]) {
    expect((await run(...args, "--help")).stdout).toMatch("Examples:\n  mirrorlist mirror ");
  }
}, 60_000);

describe("list and show", () => {
  test("without a catalog, the configuration's mirrors are shown, and none is made", async () => {
    const mirrors = await listMirrors(config());
    expect(mirrors).toMatchObject([
      { name: "own", state: "checking", declaredBy: "operator", reason: "no server has seen it yet" },
      { name: "off", state: "disabled", reason: "disabled in the operator's configuration" },
    ]);
    expect(summarizeMirrors(mirrors)).toMatch(/^own +checking +- +file +JP +100 +all +open +http:\/\/own/m);
    expect(await showMirror(config(), "own")).toMatchObject({ name: "own", changes: [], probes: [], audits: [] });
    await expect(readFile(config().catalog)).rejects.toThrow("ENOENT");
    await configure({ mirrors: [] });
    expect(summarizeMirrors(await listMirrors(config()))).toMatch("no mirrors");
  });

  test("what the crawler has seen is shown", async () => {
    await add(config(), undefined, M);
    const db = await catalog();
    await setMirrorState(db, { name: "m", to: "quarantined", reason: "wrong bytes", actor: "crawler" }, AT);
    const platform = "linux-amd64" as never;
    await db.insertInto("mirrorProbe").values({ mirror: "m", platform, at: AT, seenAt: AT, generation: 7 }).execute();
    await db
      .insertInto("mirrorAudit")
      .values({ mirror: "m", platform, at: AT, kind: "hash", ok: 0, detail: "other bytes" })
      .execute();
    const shown = await showMirror(config(), "m");
    expect(shown).toMatchObject({
      state: "quarantined",
      since: AT,
      changes: [{ fromState: "pending", toState: "quarantined", actor: "crawler" }, { toState: "pending" }],
      probes: [{ platform: "linux-amd64", generation: 7 }],
      audits: [{ kind: "hash", ok: false, detail: "other bytes" }],
    });
    const text = summarizeMirror(shown);
    expect(text).toMatch(/pending +quarantined +crawler +wrong bytes/);
    expect(text).toMatch(/linux-amd64 +2026-11-24T12:00:00.000Z +7/);
    expect(text).toMatch(/hash +not well +other bytes/);
  });
});

describe("add", () => {
  test("is the operator's approval, and no more: the proof is still to be shown", async () => {
    await configure({ optin: { policy: "approve" } });
    const added = await add(config(), undefined, {
      ...M,
      bandwidth: "250",
      asn: "AS2497",
      netblocks: ["133.1.0.0/16"],
    });
    expect(added).toMatchObject({ state: "pending", bandwidth: 250, asn: 2497, netblocks: ["133.1.0.0/16"] });
    const record = await readMirror(await catalog(), "m");
    expect(record).toMatchObject({ proof: proofOfToken(added.token), approvedAt: expect.any(String) });
    expect(await readMirrorChanges(await catalog(), "m", 5)).toMatchObject([{ actor: "operator" }]);
  });

  test.each([
    [{ ...M, name: "own" }, "the operator's configuration declares own"],
    [{ ...M, url: "http://own.example.org/" }, "the mirror own is at that URL already"],
    [{ ...M, bandwidth: "fast" }, /^command line: bandwidth: /],
    [{ ...M, url: "http://127.0.0.1/" }, "command line: url: a private, loopback or reserved address"],
    [{ ...M, private: true }, "command line: private: private to no netblocks: nobody would be sent there"],
    [{}, "a file or options, please, and not both"],
  ])("%j is refused", async (options, message) => {
    await expect(add(config(), undefined, options)).rejects.toThrow(message);
  });

  test("a private address is the operator's to allow", async () => {
    await add(config(), undefined, { ...M, url: "http://127.0.0.1:8081/", allowPrivateAddress: true });
    expect((await listMirrors(config())).find(({ name }) => name === "m")).toMatchObject({ allowPrivateAddress: true });
  });

  test("what was found in a file is named with its line", async () => {
    const yaml = join(folder, "mirror.yaml");
    await writeFile(yaml, "name: m\nurl: http://m.example.net/\ncountry: DE\nnetblocks: [133.0.0.0/8]\n");
    await expect(add(config(), yaml, {})).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining(`${yaml}:4: netblocks[0]: larger`),
    });
    await expect(add(config(), join(folder, "none.yaml"), {})).rejects.toThrow("cannot be read");
    await expect(add(config(), yaml, { name: "m" })).rejects.toThrow("not both");
  });
});

describe("states", () => {
  test("one of the configuration is disabled and enabled by command, and that lasts", async () => {
    expect(await disable(config(), "own", "new disks")).toMatchObject({ state: "disabled", changed: true });
    expect(await disable(config(), "own", "new disks")).toMatchObject({ state: "disabled", changed: false });
    expect(await listMirrors(config())).toMatchObject([{ name: "own", state: "disabled", reason: "new disks" }, {}]);
    expect(await enable(config(), "own")).toMatchObject({ state: "checking", changed: true });
    expect(await enable(config(), "own")).toMatchObject({ state: "checking", changed: false });
    expect(await approve(config(), "own")).toMatchObject({ changed: false });
  });

  test("what the configuration says is changed in the configuration", async () => {
    await expect(enable(config(), "off")).rejects.toThrow("off is disabled in the configuration");
    await expect(remove(config(), "own")).rejects.toThrow("own is declared in the configuration");
  });

  test("an approval is noted, and the mirror is looked at", async () => {
    await configure({ optin: { policy: "approve" } });
    await add(config(), undefined, M);
    const db = await catalog();
    await db.updateTable("mirror").set({ approvedAt: null, probeWantedAt: null }).execute();
    expect(await approve(config(), "m")).toMatchObject({ changed: true, approvedAt: expect.any(String) });
    expect(await readMirror(db, "m")).toMatchObject({ probeWantedAt: expect.any(String) });
    expect(await approve(config(), "m")).toMatchObject({ changed: false });
  });

  test("names that are none, and reasons that are no line", async () => {
    for (const command of [approve, disable, enable, remove]) {
      await expect(command(config(), "none")).rejects.toMatchObject({ code: "NOT_FOUND" });
    }
    await expect(disable(config(), "own", "two\nlines")).rejects.toMatchObject({ code: "USAGE" });
  });
});

test("intake works through the folder once", async () => {
  const uploads = join(folder, "uploads");
  await mkdir(uploads);
  await expect(intake(config())).rejects.toThrow("optin.folder is not set");
  await configure({ optin: { folder: "uploads" } });
  expect(await intake(config())).toEqual({ uploads: [] });
  await writeFile(
    join(uploads, "m.yaml"),
    `name: m\nurl: http://m.example.net/\ncountry: DE\ntoken: ${"a".repeat(64)}\n`,
  );
  await writeFile(join(uploads, "n.yaml"), "nonsense\n");
  expect((await intake(config())).uploads).toMatchObject([
    { file: "m.yaml", result: "added" },
    { file: "n.yaml", result: "rejected" },
  ]);
});
