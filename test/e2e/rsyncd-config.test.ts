import { chown, mkdir, readdir, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pushImage } from "../lib/images/push.ts";
import { randomImages } from "../lib/images/samples.ts";
import { syncer } from "../lib/nearlayer.ts";
import { type Registry, startRegistry } from "../lib/peers/registry.ts";
import { type RsyncDaemon, startMaster } from "../lib/peers/rsyncd.ts";
import { type TemporaryFolder, temporaryFolder } from "../lib/process/folder.ts";
import { expectOk, type RunResult, run, runOk } from "../lib/process/run.ts";
import { whyNot } from "../lib/requirements.ts";
import { createSite, type Site } from "../lib/site.ts";
import { readTree } from "../lib/tree.ts";

const missing = (await whyNot("registry")) ?? (await whyNot("rsync"));

/** A real rsync daemon with the configuration that the syncer writes. */
describe.skipIf(missing !== undefined)(`syncer rsyncd-config (${missing ?? "docker-registry and rsync"})`, () => {
  let folder: TemporaryFolder;
  let registry: Registry;
  let site: Site;
  let master: RsyncDaemon;
  let optin: string;

  beforeAll(async () => {
    folder = await temporaryFolder("rsyncd");
    registry = await startRegistry({ dir: await folder.at("registry") });
    site = await createSite(await folder.at("site"), { url: registry.url });
    for await (const image of randomImages({ seed: "rsyncd", count: 1 })) {
      await pushImage(registry.url, "fedora/app", "1", image);
    }
    expectOk(await site.sync());
    optin = await folder.at("optin");
    const nobody = Number((await runOk("id", ["-u", "nobody"])).stdout);
    if (process.getuid?.() === 0) await chown(optin, nobody, -1);
    master = await startMaster({ dir: await folder.at("master"), config: site.config, options: { optin } });
  });
  afterAll(async () => {
    await master?.stop();
    await registry?.stop();
    await folder?.[Symbol.asyncDispose]();
  });

  const rsync = (...args: string[]) => run("rsync", ["--timeout=20", ...args]);
  const refused = ({ exitCode, stderr }: RunResult) => ({ refused: exitCode !== 0, because: stderr.split("\n")[0] });
  let count = 0;
  const empty = () => folder.at(`into${++count}`);

  test("the modules that are listed are everything, and each platform", async () => {
    const { stdout } = await rsync(master.url);
    expect(stdout.split("\n").map((line) => line.split(/\s/)[0])).toEqual(["containers", "linux-amd64", "linux-arm64"]);
  });

  test("everything is the tree, to a plain rsync -aH", async () => {
    const into = await empty();
    expectOk(await rsync("-aH", `${master.url}containers/`, `${into}/`));
    expect(await readTree(into)).toEqual(await readTree(join(site.root, "pub")));
    expect((await readTree(into)).generations).toEqual({ "linux-amd64": 1, "linux-arm64": 1 });
  });

  test("a platform is its part of the tree under the same names, also to --files-from", async () => {
    const into = await empty();
    expectOk(await rsync("-aH", `${master.url}linux-arm64/`, `${into}/`));
    const { blobs, generations } = await readTree(into);
    expect(generations).toEqual({ "linux-arm64": 1 });
    expect([...blobs].sort()).toEqual((await site.published()).filter((name) => name.startsWith("linux-arm64 ")));

    const [own = "", other = ""] = await Promise.all(
      ["linux-arm64", "linux-amd64"].map(async (platform) => {
        const [name] = await readdir(join(site.root, "pub", platform, "blobs/sha256"), { recursive: true }).then(
          (all) => all.filter((path) => path.length === 67),
        );
        return `${platform}/blobs/sha256/${name}`;
      }),
    );
    const names = join(folder.path, "names");
    await writeFile(
      names,
      [own, "zz-state/linux-arm64/GENERATION", other, "zz-state/linux-amd64/GENERATION", ""].join("\n"),
    );
    const named = await empty();
    const { exitCode } = await rsync("-pt", `--files-from=${names}`, `${master.url}linux-arm64/`, `${named}/`);
    expect(exitCode).toBe(23);
    const found = (await readdir(named, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    expect(found.map(({ parentPath, name }) => join(parentPath, name).slice(named.length + 1)).sort()).toEqual(
      [own, "zz-state/linux-arm64/GENERATION"].sort(),
    );
  });

  test("nothing but the tree is reachable", async () => {
    const pub = join(site.root, "pub");
    await symlink(join(site.root, "store"), join(pub, "linux-amd64/absolute"));
    await symlink("../../store", join(pub, "linux-amd64/relative"));
    await symlink("/etc/passwd", join(pub, "linux-amd64/passwd"));
    await writeFile(join(pub, "linux-amd64/.half.AbCdEf"), "half");
    try {
      const into = await empty();
      const ways = [
        "..",
        "../store",
        "linux-amd64/absolute/",
        "linux-amd64/relative/",
        "linux-amd64/passwd",
        "../../..",
      ];
      for (const way of ways) await rsync("-r", `${master.url}containers/${way}`, `${into}/`);
      await rsync("-r", `${master.url}linux-arm64/linux-amd64/`, `${into}/`);
      await rsync("-r", `${master.url}linux-arm64/zz-state/linux-amd64/`, `${into}/linux-amd64/`);
      const names = await readdir(into, { recursive: true });
      expect(names.filter((name) => /passwd|ingest|etc$|\.half/.test(name))).toEqual([]);
      expect(await readdir(join(into, "linux-amd64")).catch(() => [""])).not.toContain("GENERATION");
      for (const option of ["-L", "--copy-unsafe-links", "-k"]) {
        const { stderr } = await rsync("-r", option, `${master.url}containers/`, `${await empty()}/`);
        expect(stderr).toContain("configured to refuse --copy");
      }
    } finally {
      for (const name of ["absolute", "relative", "passwd", ".half.AbCdEf"]) await rm(join(pub, "linux-amd64", name));
    }
  });

  test("reading costs no more than the transfer, and writing is refused", async () => {
    const into = await empty();
    expect((await rsync("-rc", `${master.url}containers/`, `${into}/`)).stderr).toContain("refuse --checksum");
    for (const name of ["containers", "linux-amd64"]) {
      expect(refused(await rsync("-r", "--delete", `${into}/`, `${master.url}${name}/`))).toEqual({
        refused: true,
        because: "ERROR: module is read only",
      });
    }
    await readTree(join(site.root, "pub"));
  });

  test("an opt-in is taken, with no more rights than its reader needs", async () => {
    const file = join(folder.path, "example-jp.yaml");
    await writeFile(file, "name: example-jp\n");
    await writeFile(join(folder.path, "example-jp.checkin"), "");
    expectOk(await rsync("-tp", file, join(folder.path, "example-jp.checkin"), `${master.url}optin/`));
    expect(await readFile(join(optin, "example-jp.yaml"), "utf8")).toBe("name: example-jp\n");
    expect((await runOk("stat", ["-c", "%a", join(optin, "example-jp.yaml")])).stdout).toBe("600");
    // The file may have another name at home.
    const home = join(await empty(), "mirror.yaml");
    await writeFile(home, "name: example-de\n");
    expectOk(await rsync(home, `${master.url}optin/example-de.yaml`));
    expect(await readFile(join(optin, "example-de.yaml"), "utf8")).toBe("name: example-de\n");
    await rm(join(optin, "example-de.yaml"));
  });

  test("what lies with the opt-ins is neither listed nor read nor deleted", async () => {
    const into = await empty();
    expect((await rsync(`${master.url}optin/`)).exitCode).not.toBe(0);
    expect((await rsync(`${master.url}optin/example-jp.yaml`, `${into}/`)).stderr).toContain("write only");
    expect((await rsync("-d", "--delete", `${into}/`, `${master.url}optin/`)).stderr).toContain("refuse");
    expect(await readdir(into)).toEqual([]);
    expect((await readdir(optin)).sort()).toEqual(["example-jp.checkin", "example-jp.yaml"]);
  });

  test.each([
    ["a file that is too large", "large.yaml", [], "File too large"],
    ["another name", "evil.sh", [], ""],
    ["a hidden name", ".hidden.yaml", [], ""],
    ["a folder", "folder.yaml", ["-r"], "refuse --recursive"],
    ["a symbolic link", "link.yaml", ["-l"], "refuse --links"],
    ["a name of its own choice", "small.yaml", ["--backup", "--suffix=.sh"], "refuse --backup"],
    ["a way out", "small.yaml", ["--temp-dir=/"], "refuse --temp-dir"],
  ])("%s is not taken", async (_, name, options, because) => {
    const dir = await empty();
    if (name === "folder.yaml") await mkdir(join(dir, name));
    else if (name === "link.yaml") await symlink("/etc/passwd", join(dir, name));
    else await writeFile(join(dir, name), "");
    if (name === "large.yaml") await truncate(join(dir, name), 65_537);
    const { stderr } = await rsync(...options, join(dir, name), `${master.url}optin/`);
    expect(stderr).toContain(because);
    expect((await readdir(optin)).sort()).toEqual(["example-jp.checkin", "example-jp.yaml"]);
  });

  test("when too many wait to be read, no more are taken", async () => {
    for (let index = 0; index < 1000; index += 1) await writeFile(join(optin, `m${index}.yaml`), "");
    const file = join(await empty(), "late.yaml");
    await writeFile(file, "");
    expect((await rsync(file, `${master.url}optin/`)).exitCode).not.toBe(0);
    expect(await readdir(optin)).not.toContain("late.yaml");
  });

  test.each([
    [["--path", "/srv/a\nuid = root"], "--path"],
    [["--path", "/srv/%HOME%"], "--path"],
    [["--optin", "/srv/$(id)"], "--optin"],
    [["--path", "/srv/pub", "--optin", "/srv/pub/optin"], "lie within each other"],
    [["--module-name", "x]\n[y"], "--module-name"],
    [["--module-name", "linux-amd64"], "name of another module"],
    [["--user", "nobody\nuid = root"], "--user"],
    [["--address", "localhost"], "--address"],
    [["--port", "0"], "--port"],
    [["--max-connections", "0"], "--max-connections"],
    [["--platforms", "../x"], "not a platform"],
  ])("%j is refused", async (args, because) => {
    const { exitCode, stdout, stderr } = await syncer(site.config, ["rsyncd-config", ...args]);
    expect([exitCode, stdout]).toEqual([1, ""]);
    expect(stderr).toContain(because);
  });

  test("a master needs no configuration of the syncer's, and before the first sync there is one module", async () => {
    const nowhere = join(folder.path, "nowhere.yaml");
    const args = ["rsyncd-config", "--path", "/srv/containers", "--platforms", "noarch", "--json"];
    const { stdout } = expectOk(await syncer(nowhere, args));
    const { config, modules: names } = JSON.parse(stdout) as { config: string; modules: string[] };
    expect(names).toEqual(["containers", "noarch"]);
    expect((await syncer(nowhere, args.slice(0, -1))).stdout).toBe(config.trimEnd());
    const output = join(folder.path, "written.conf");
    expect((await syncer(nowhere, [...args.slice(0, -1), "--output", output])).stdout).toBe(
      `${output}: containers, noarch`,
    );
    expect(await readFile(output, "utf8")).toBe(config);
    const fresh = await createSite(await folder.at("fresh"), { url: registry.url });
    const modules = async () => (await fresh.run<{ modules: string[] }>("rsyncd-config")).report.modules;
    expect(await modules()).toEqual(["containers"]);
    await fresh.configure({}, { optin: { folder: "/srv/optin" } });
    expect(await modules()).toEqual(["containers", "optin"]);
  });
});
