import { chown, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { mirrorSchema } from "@nearlayer/shared/config/schema";
import { sha256Hex } from "@nearlayer/shared/generation";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { blobAt, type MirrorRig, useRigShop } from "../lib/mirror-rig.ts";
import { createMirrorScript, type MirrorScript } from "../lib/peers/mirror-script.ts";
import { startNginx } from "../lib/peers/nginx.ts";
import { expectOk, run, runOk } from "../lib/process/run.ts";
import { skipUnless, whyNot } from "../lib/requirements.ts";

const missing = (await whyNot("rsync")) ?? (await whyNot("busybox"));

/** What an admin does with `nearlayer-mirror` beside pulling: setting it up, joining and leaving, looking. */
describe.skipIf(missing !== undefined).each(["dash", "busybox"])(
  `an admin with %s (${missing ?? "rsync"})`,
  (shell) => {
    const shop = useRigShop(shell);
    let rig: MirrorRig;
    let optin: string;
    let answers: readonly string[];

    beforeAll(async () => {
      optin = await shop().folder.at(`optin-${shell}`);
      const nobody = Number((await runOk("id", ["-u", "nobody"])).stdout);
      if (process.getuid?.() === 0) await chown(optin, nobody, -1);
    });
    beforeEach(async () => {
      for (const name of await readdir(optin)) await runOk("rm", [join(optin, name)]);
      rig = await shop().rig({ master: { optin } });
      await rig.tree.change("linux-amd64", { add: ["one"] });
      answers = [
        ...["--master", `${rig.master.url}containers`, "--target", rig.mirror.target, "--name", "example-jp"],
        ...["--url", "https://mirror.example.jp/containers", "--country=JP", "--verifier", rig.tree.verifier],
      ];
      return () => rig[Symbol.asyncDispose]();
    });

    const init = (...args: string[]) => rig.mirror.run(["init", "--force", ...answers, ...args]);
    const optinFile = () => join(dirname(rig.mirror.config), "mirror.yaml");
    const tokenOf = async () => String(parse(await readFile(optinFile(), "utf8")).token);

    test("init writes what sync and the operator need, and sync shows the proof", async () => {
      const full = ["--platforms", "linux-amd64,linux-arm64", "--contact", "admin@example.jp: 24/7", "--asn", "64500"];
      const { stdout } = expectOk(await init(...full, "--netblocks", "198.51.100.0/24,2001:db8::/32", "--private"));
      expect(stdout).toContain("gzip off;");
      const { token, ...mirror } = parse(await readFile(optinFile(), "utf8"));
      expect(mirrorSchema.parse(mirror)).toMatchObject({
        ...{
          name: "example-jp",
          url: "https://mirror.example.jp/containers/",
          country: "JP",
          bandwidth: 100,
          asn: 64500,
        },
        ...{ platforms: ["linux-amd64", "linux-arm64"], contact: "admin@example.jp: 24/7", private: true },
        netblocks: ["198.51.100.0/24", "2001:db8::/32"],
      });
      expect(token).toMatch(/^[0-9a-f]{64}$/);
      expect((await stat(optinFile())).mode & 0o777).toBe(0o600);

      expectOk(await init());
      expect(await tokenOf()).toBe(token);
      expectOk(await rig.sync());
      expect(await readFile(join(rig.mirror.target, "nearlayer-mirror.txt"), "utf8")).toBe(`${sha256Hex(token)}\n`);
      await rig.expectSame();
    });

    test("on a terminal it asks, and asks again", async () => {
      const config = join(rig.dir, "asked", "nearlayer-mirror.conf");
      const [file, ...first] = shop().shell.command;
      const words = [file, ...first, shop().script, "init", "--config", config];
      const lines = [
        `${rig.master.url}containers/`,
        rig.mirror.target,
        "Not A Name",
        "example-de",
        "https://mirror.example.de/",
      ];
      const input = [...lines, "DE", "", "", "", "", "", "", "", ""].map((line) => `${line}\n`).join("");
      const command = words.map((word) => `'${word}'`).join(" ");
      const { exitCode, stdout } = await run("script", ["-qec", command, "/dev/null"], {
        input,
        env: { PATH: shop().shell.path === "" ? undefined : `${shop().shell.path}:/usr/bin:/bin` },
      });
      expect([exitCode, stdout]).toEqual([0, expect.stringContaining("The master has: linux-amd64")]);
      expect(stdout).toContain("That will not do: Not A Name");
      expect(await readFile(join(dirname(config), "mirror.yaml"), "utf8")).toContain(
        "name: example-de\nurl: https://mirror.example.de/\ncountry: DE\nbandwidth: 100\ntoken: ",
      );
    });

    test("opting in and out are uploads that the operator reads", async () => {
      expectOk(await init());
      const { stdout } = expectOk(await rig.mirror.run(["opt-in"]));
      expect(stdout).toContain("example-jp has opted in");
      expect(await readFile(join(optin, "example-jp.yaml"), "utf8")).toBe(await readFile(optinFile(), "utf8"));
      expectOk(await rig.mirror.run(["opt-out"]));
      expect(parse(await readFile(join(optin, "example-jp.yaml"), "utf8"))).toEqual({
        ...{ name: "example-jp", token: await tokenOf(), optOut: true },
      });
      await rig.mirror.configure({ name: "example-jp", optin: `${rig.master.url}nosuchmodule/` });
      const { exitCode, stderr } = await rig.mirror.run(["opt-in"]);
      expect([exitCode, stderr]).toEqual([3, expect.stringContaining("Unknown module")]);
    });

    test("a sync that brought something checks in by rsync, and a failure of that is a warning", async () => {
      await rig.mirror.configure({ name: "example-jp" });
      expectOk(await rig.sync());
      expect(await readdir(optin)).toEqual(["example-jp.checkin"]);
      await runOk("rm", [join(optin, "example-jp.checkin")]);
      expectOk(await rig.sync());
      expect(await readdir(optin)).toEqual([]);
      expectOk(await rig.mirror.run(["check-in"]));
      expect(await readdir(optin)).toEqual(["example-jp.checkin"]);

      await rig.mirror.configure({ optin: `${rig.master.url}nosuchmodule/` });
      await rig.tree.change("linux-amd64", { add: ["two"] });
      expect(await rig.sync()).toMatchObject({ exitCode: 0, stderr: expect.stringContaining("warning: the check-in") });
    });

    test("with the API's URL, it checks in there", async () => {
      const asked: string[] = [];
      const server: Server = createServer((request, response) => {
        asked.push(`${request.method} ${request.url}`);
        response.writeHead(202).end();
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      try {
        const api = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
        await rig.mirror.configure({ name: "example-jp", api });
        expectOk(await rig.sync());
        const [way, ...more] = [...asked, ...(await readdir(optin))];
        expect(more).toEqual([]);
        // Debian's static busybox has a wget that crashes; then it is rsync.
        if (shell === "dash") expect(way).toBe("POST /api/mirrors/example-jp/check-in");
        else expect(way).toBeDefined();
      } finally {
        await new Promise((resolve) => server.close(resolve));
      }
    });

    test("status tells what is here and what the master has", async () => {
      expectOk(await rig.sync());
      await rig.tree.change("linux-amd64", { add: ["two"] });
      await rig.tree.change("noarch", { add: ["two"] });
      const { stdout } = expectOk(await rig.mirror.run(["status"]));
      expect(stdout).toContain("linux-amd64: generation 1 here, 2 at the master; 1 blobs, made 20");
      expect(stdout).toContain("noarch: generation none here, 1 at the master");
      await rig.master.stop();
      const alone = await rig.mirror.run(["status"]);
      expect([alone.exitCode, alone.stdout]).toEqual([3, expect.stringContaining("linux-amd64: generation 1 here;")]);
    });

    test("nginx serves it as the snippet says: as it is, by ranges, the state always fresh", async (context) => {
      await skipUnless(context, "nginx");
      expectOk(await init());
      expectOk(await rig.sync());
      const { stdout } = expectOk(await rig.mirror.run(["snippet", "nginx"]));
      const server = ["gzip on;", "gzip_types *;", ...stdout.split("\n")];
      await using nginx = await startNginx({ name: "nginx", dir: await shop().folder.at(`nginx-${shell}`), server });
      const get = (path: string, headers = {}) =>
        fetch(`${nginx.url}containers/${path}`, { headers: { "accept-encoding": "gzip, br", ...headers } });
      const blob = await get(blobAt("linux-amd64", "one"));
      expect([blob.status, await blob.text()]).toEqual([200, "one"]);
      expect(Object.fromEntries(blob.headers)).toMatchObject({
        ...{ "content-type": "application/octet-stream", "content-length": "3", "accept-ranges": "bytes" },
        "cache-control": "public, max-age=31536000, immutable",
      });
      expect(blob.headers.has("content-encoding")).toBe(false);
      const range = await get(blobAt("linux-amd64", "one"), { range: "bytes=1-1" });
      expect([range.status, range.headers.get("content-range"), await range.text()]).toEqual([206, "bytes 1-1/3", "n"]);
      for (const name of [
        "zz-state/linux-amd64/GENERATION",
        "zz-state/linux-amd64/list-1.gz",
        "nearlayer-mirror.txt",
      ]) {
        const answer = await get(name);
        const [control, coding] = [answer.headers.get("cache-control"), answer.headers.get("content-encoding")];
        expect([name, answer.status, control, coding]).toEqual([name, 200, "no-cache", null]);
        const etag = answer.headers.get("etag") ?? "";
        expect((await get(name, { "if-none-match": etag })).status).toBe(304);
      }
      await mkdir(join(rig.mirror.target, ".nearlayer"), { recursive: true });
      expect((await get(".nearlayer/lock")).status).toBe(404);
    });
  },
);

/** What is wrong is told before anything is done: no master is needed for that. */
describe.skipIf(missing !== undefined).each(["dash", "busybox"])(
  `wrong answers in %s (${missing ?? "rsync"})`,
  (shell) => {
    const shop = useRigShop(shell);
    let mirror: MirrorScript;
    const master = "rsync://127.0.0.1:9/containers/";
    const answers = ["--master", master, "--target", "/nowhere", "--name", "example-jp"];
    const more = ["--url", "https://mirror.example.jp/containers", "--country=JP"];

    beforeAll(async () => {
      const { script, folder } = shop();
      mirror = await createMirrorScript({ dir: folder.path, script, shell: shop().shell, settings: { master } });
    });

    const init = (...args: string[]) => mirror.run(["init", "--force", ...answers, ...more, ...args]);

    test("what is there already is not written over", async () => {
      const { exitCode, stderr } = await mirror.run(["init", ...answers, ...more]);
      expect([exitCode, stderr]).toEqual([1, expect.stringContaining("is there already")]);
    });

    test.each([
      [["--master", "$(id)"], "--master"],
      [["--master", "-e sh"], "--master"],
      [["--target", "relative"], "--target"],
      [["--name", "Example JP"], "--name"],
      [["--url", "https://x/\nevil: 1"], "--url"],
      [["--url", "ftp://x/"], "--url"],
      [["--country", "Japan"], "--country"],
      [["--bandwidth", "fast"], "--bandwidth"],
      [["--platforms", "../x"], "--platforms"],
      [["--contact", 'a"\ntoken: x'], "--contact"],
      [["--asn", "4294967296"], "--asn"],
      [["--netblocks", "10.0.0.0/8]"], "--netblocks"],
      [["--private"], "--private needs --netblocks"],
      [["--verifier", "x"], "--verifier"],
      [["--colour", "red"], "--colour: unknown option"],
    ])("init %j is refused", async (args, because) => {
      const { exitCode, stderr } = await init(...args);
      expect([exitCode, stderr]).toEqual([1, expect.stringContaining(because)]);
    });

    test.each([
      ["colour = red", "1: colour: unknown key"],
      ["# a comment\n\nmaster $(id)", "3: neither a comment nor KEY = VALUE"],
      ["master = rsync://x/y/\ntarget = srv", "2: target: not an absolute path"],
      ["master = rsync://x/y/", "1: target is missing"],
      ["max-delete = -1", "1: max-delete: not a number"],
      ["verifier = nonsense", "1: verifier: not NAME+HASH+KEY"],
    ])("a configuration with %j is refused, and never run", async (text, because) => {
      await writeFile(mirror.config, text);
      const { exitCode, stderr } = await mirror.run(["sync"]);
      expect([exitCode, stderr]).toEqual([1, expect.stringContaining(`nearlayer-mirror.conf:${because}`)]);
    });
  },
);

describe("the script", () => {
  const shop = useRigShop("dash");

  test("holds what shellcheck asks of a POSIX shell script", async (context) => {
    await skipUnless(context, "shellcheck");
    // SC2015: `A && B || C` where C is to happen after either is what is meant here.
    const { stdout, exitCode } = await run("shellcheck", ["--shell=sh", "--exclude=SC2015", shop().script]);
    expect([exitCode, stdout]).toEqual([0, ""]);
    const source = join(import.meta.dirname, "../../packages/mirror");
    expectOk(await run("shellcheck", [join(source, "install.sh")]));
  });

  test("help has every command, and what is wrong is told", async () => {
    const { stdout } = expectOk(await run(shop().script, ["--help"]));
    for (const command of ["init", "sync", "opt-in", "opt-out", "check-in", "status", "verify", "snippet"]) {
      expect(stdout).toContain(`\n  ${command} `);
    }
    expect((await run(shop().script, ["--version"])).stdout).toMatch(/^nearlayer-mirror \d/);
    expect(await run(shop().script, ["snyc"])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("what is snyc?"),
    });
    expect((await run(shop().script, [])).exitCode).toBe(1);
  });
});
