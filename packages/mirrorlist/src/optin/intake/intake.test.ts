import { execFileSync } from "node:child_process";
import { link, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readMirror, readMirrorChanges, readMirrors } from "@nearlayer/shared/catalog/mirrors";
import { type Catalog, openCatalog } from "@nearlayer/shared/catalog/open";
import { configSchema } from "@nearlayer/shared/config/schema";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createOptIns, makeToken, type OptIns } from "../opt-ins.ts";
import { createIntake, type Intake, type IntakeResult } from "./intake.ts";

const TOKEN = makeToken();
const fileOf = (name: string, more = "") =>
  `name: ${name}\nurl: http://${name}.example.net/\ncountry: JP\ntoken: ${TOKEN}\n${more}`;

let root: string;
let folder: string;
let catalog: Catalog;
let optIns: OptIns;
let intake: Intake;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "nearlayer-intake-"));
  folder = join(root, "optin");
  await mkdir(folder);
  catalog = await openCatalog(join(root, "catalog.db"));
  const config = configSchema.parse({ optin: { maxPending: 3 } });
  const checkAsn = async () => undefined;
  optIns = createOptIns({ catalog, config: () => config, checkAsn, now: Date.now });
  intake = createIntake(folder, optIns, () => ({ allowPrivateAddress: false }));
});
afterEach(async () => {
  await catalog.destroy();
  await rm(root, { recursive: true, force: true });
});

/** Two looks: what has not changed between them is whole. */
async function passes(by: Intake = intake): Promise<IntakeResult[]> {
  return [...(await by.pass(Date.now())), ...(await by.pass(Date.now()))];
}

const put = (name: string, text: string) => writeFile(join(folder, name), text);
const left = async () => (await readdir(folder)).filter((name) => name !== ".taken").sort();
const rejected = async () => (await readdir(join(folder, "rejected")).catch(() => [])).sort();
const reasonOf = (name: string) => readFile(join(folder, "rejected", `${name}.reason`), "utf8");

test("an upload opts in, changes, checks in and opts out, and nothing is left of it", async () => {
  await put("m.yaml", fileOf("m"));
  expect(await passes()).toEqual([{ file: "m.yaml", result: "added", mirror: "m" }]);
  expect(await readMirror(catalog, "m")).toMatchObject({ state: "pending", declaredBy: "mirror" });
  await put("m.yaml", fileOf("m", "bandwidth: 7\n"));
  expect(await passes()).toMatchObject([{ result: "changed" }]);
  await put("m.yaml", fileOf("m", "bandwidth: 7\n"));
  await catalog.updateTable("mirror").set({ probeWantedAt: null }).execute();
  await put("m.checkin", "");
  expect(await passes()).toMatchObject([{ result: "checked in" }, { result: "unchanged" }]);
  expect((await readMirror(catalog, "m"))?.probeWantedAt).not.toBeNull();
  await put("m.yaml", `name: m\ntoken: ${TOKEN}\noptOut: true\n`);
  expect(await passes()).toMatchObject([{ result: "removed" }]);
  expect(await readMirror(catalog, "m")).toBeUndefined();
  expect(await left()).toEqual([]);
  expect(await readdir(join(folder, ".taken"))).toEqual([]);
});

test("what is still written to is left alone, and so is what rsync has not named yet", async () => {
  await put(".m.yaml.Xy12ab", fileOf("m"));
  await put("m.yaml", fileOf("m").slice(0, 20));
  expect(await intake.pass(Date.now())).toEqual([]);
  await put("m.yaml", fileOf("m"));
  expect(await intake.pass(Date.now())).toEqual([]);
  expect(await intake.pass(Date.now())).toMatchObject([{ result: "added" }]);
  expect(await left()).toEqual([".m.yaml.Xy12ab"]);
  await intake.pass(Date.now() + 25 * 3_600_000);
  expect(await left()).toEqual([]);
});

test.each([
  ["m.yaml", "name: m\ncountry: jp\n", /^m.yaml: url: missing\nm.yaml:2: country: not a country.*\nhint: /],
  ["m.yaml", fileOf("m").replace("token", "tokn"), /^m.yaml:4: tokn: unknown key/],
  ["m.yaml", "name: m\nurl: http://m.example.net/\ncountry: JP\n", /^no token\nhint: add `token:`/],
  ["other.yaml", fileOf("m"), /^other.yaml: name: m, in a file that is named otherwise/],
  ["m.yaml", "#".repeat(70_000), /^larger than 65536 bytes/],
  ["m.yaml", "#".repeat(20_000), /^m.yaml: larger than 16384 bytes/],
  ["none.checkin", "", /^no mirror is called none/],
])("%s is rejected, and why is written beside it", async (name, text, reason) => {
  await put(name, text);
  expect(await passes()).toMatchObject([{ file: name, result: "rejected" }]);
  expect(await left()).toEqual(["rejected"]);
  expect(await reasonOf(name)).toMatch(reason);
  expect(await readFile(join(folder, "rejected", name), "utf8")).toBe(text);
});

test("somebody else's token changes nothing, and lets nobody leave", async () => {
  await put("m.yaml", fileOf("m"));
  await passes();
  for (const more of ["bandwidth: 7\n", "optOut: true\n"]) {
    await put("m.yaml", fileOf("m", more).replace(TOKEN, makeToken()));
    expect(await passes()).toMatchObject([{ result: "rejected", reason: "that is not the token of m" }]);
  }
  expect(await readMirror(catalog, "m")).toMatchObject({ state: "pending", revision: 1 });
});

test("no more are taken in than may be pending, and the others can come later", async () => {
  for (const name of ["a", "b", "c", "d"]) await put(`${name}.yaml`, fileOf(name));
  const results = await passes();
  expect(results.map(({ result }) => result)).toEqual(["added", "added", "added", "rejected"]);
  expect(await reasonOf("d.yaml")).toMatch("3 mirrors are waiting to be checked\nhint: try again");
});

describe("hostile uploads", () => {
  test("links, pipes and folders are not followed, not waited for, and moved away", async () => {
    const secret = join(root, "secret");
    await writeFile(secret, fileOf("linked"));
    await symlink(secret, join(folder, "linked.yaml"));
    await symlink("/", join(folder, "slash.yaml"));
    await link(secret, join(folder, "hard.yaml"));
    await mkdir(join(folder, "folder.yaml", "deep", "er"), { recursive: true });
    execFileSync("mkfifo", [join(folder, "pipe.yaml")]);
    const results = await passes();
    expect(results.map(({ file, result, reason }) => [file, result, reason])).toEqual([
      ["folder.yaml", "rejected", "not a file"],
      ["hard.yaml", "rejected", "a second name of another file"],
      ["linked.yaml", "rejected", "not a file"],
      ["pipe.yaml", "rejected", "not a file"],
      ["slash.yaml", "rejected", "not a file"],
    ]);
    expect((await readMirrors(catalog)).names).toEqual([]);
    expect(await readFile(secret, "utf8")).toBe(fileOf("linked"));
    expect((await stat("/")).isDirectory()).toBe(true);
    expect(await left()).toEqual(["rejected"]);
  });

  test("names that are none, and bytes that are no text, go under another name", async () => {
    const raw = Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff, 0xfe, 0x2e]), Buffer.from("yaml")]);
    for (const name of ["A.yaml", "a\nb.yaml", "x.yml", "..yaml.", `${"n".repeat(250)}.yaml`]) {
      if (!name.startsWith(".")) await put(name, fileOf("m"));
    }
    await writeFile(raw, "x");
    const results = await passes();
    expect(results).toHaveLength(5);
    expect(results.every(({ result }) => result === "rejected")).toBe(true);
    expect(await left()).toEqual(["rejected"]);
    expect((await rejected()).every((name) => /^unnamed-[0-9a-f]{16}(\.reason)?$/.test(name))).toBe(true);
  });

  test("a link where rejected uploads go leads nowhere", async () => {
    const elsewhere = join(root, "elsewhere");
    await mkdir(elsewhere);
    for (const name of ["rejected", ".taken"]) await symlink(elsewhere, join(folder, name));
    await put("m.yaml", "nonsense");
    expect(await passes()).toMatchObject([{ result: "rejected" }]);
    expect(await readdir(elsewhere)).toEqual([]);
    expect(await rejected()).toEqual(["m.yaml", "m.yaml.reason"]);
  });

  test("rejected uploads are bounded, and the oldest go", async () => {
    for (let index = 0; index < 230; index += 1) await put(`m${index}.yaml`, "nonsense");
    await passes();
    expect((await rejected()).length).toBeLessThanOrEqual(400);
    await put("last.yaml", "nonsense");
    await passes();
    expect(await reasonOf("last.yaml")).toMatch("last.yaml");
  });
});

test("a folder that is not there is named, with what to do", async () => {
  const none = createIntake(join(root, "none"), optIns, () => ({ allowPrivateAddress: false }));
  await expect(none.pass(0)).rejects.toMatchObject({
    message: expect.stringContaining("cannot be read: ENOENT"),
    hint: expect.stringContaining("install -d"),
  });
});

test("while the catalog cannot be written, uploads wait; killed in between, they are neither lost nor doubled", async () => {
  let fails = true;
  const failing: OptIns = {
    ...optIns,
    async submit(request) {
      const outcome = await optIns.submit(request);
      // As if the process had been killed after the write and before the answer.
      if (fails) throw new Error("killed");
      return outcome;
    },
  };
  await put("m.yaml", fileOf("m"));
  await expect(passes(createIntake(folder, failing, () => ({ allowPrivateAddress: false })))).rejects.toThrow("killed");
  expect(await left()).toEqual([]);
  await put("m.yaml", fileOf("m", "bandwidth: 7\n"));
  fails = false;
  const again = createIntake(folder, failing, () => ({ allowPrivateAddress: false }));
  expect(await passes(again)).toMatchObject([{ result: "unchanged" }, { result: "changed" }]);
  expect(await readMirrorChanges(catalog, "m", 10)).toHaveLength(1);
  await put("m.yaml", fileOf("m", "optOut: true\n"));
  fails = true;
  await expect(passes(again)).rejects.toThrow("killed");
  fails = false;
  expect(await passes(again)).toMatchObject([{ result: "removed" }]);
  expect(await readMirrorChanges(catalog, "m", 10)).toHaveLength(2);
});

test("what was taken first is worked on first", async () => {
  await mkdir(join(folder, ".taken"));
  await writeFile(join(folder, ".taken", "m.yaml~ffffffff"), fileOf("m", "bandwidth: 1\n"));
  await utimes(join(folder, ".taken", "m.yaml~ffffffff"), 0, 0);
  await new Promise((resolve) => setTimeout(resolve, 20));
  await writeFile(join(folder, ".taken", "m.yaml~00000000"), fileOf("m", "bandwidth: 2\n"));
  expect(await passes()).toMatchObject([{ result: "added" }, { result: "changed" }]);
  expect((await readMirror(catalog, "m"))?.declaration).toMatch('"bandwidth":2');
});
