import { cp, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import { createTree, type Tree } from "@nearlayer/mirrorlist/testing/tree";
import { setMirrorState } from "@nearlayer/shared/catalog/mirror-states";
import { readMirror, readMirrorChanges } from "@nearlayer/shared/catalog/mirrors";
import { openCatalog } from "@nearlayer/shared/catalog/open";
import { digestOf } from "@nearlayer/shared/digest";
import { parsePlatform } from "@nearlayer/shared/platform";
import { proofOfToken } from "@nearlayer/shared/proof";
import { pubBlobName } from "@nearlayer/shared/tree";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { mirrorlist, startMirrorlist } from "../lib/nearlayer.ts";
import { type Mirror, startMirror } from "../lib/peers/mirror.ts";
import { type Postgres, startPostgres } from "../lib/peers/postgres.ts";
import { type RsyncDaemon, startMaster } from "../lib/peers/rsyncd.ts";
import type { Daemon } from "../lib/process/daemon.ts";
import { type TemporaryFolder, temporaryFolder } from "../lib/process/folder.ts";
import { freePort } from "../lib/process/ports.ts";
import { expectOk, run } from "../lib/process/run.ts";
import { until } from "../lib/process/until.ts";
import { skipUnless, whyNot } from "../lib/requirements.ts";

const AMD64 = parsePlatform("linux-amd64");
const TOKEN = "0123456789abcdef".repeat(4);
const AUTHORIZED = { authorization: `Bearer ${TOKEN}` };
const LAYER = "the layer's bytes";

const yaml = (url: string, more = "") => `name: m\nurl: ${url}\ncountry: JP\ntoken: ${TOKEN}\n${more}`;

async function apiOf(url: string, method = "GET", headers: Record<string, string> = {}, body?: string) {
  const response = await fetch(`${url}/api/mirrors${body === undefined ? "/m" : ""}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body }),
  });
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
}

describe("by rsync upload, with a real master and mirror", () => {
  let folder: TemporaryFolder;
  let tree: Tree;
  let uploads: string;
  let config: string;
  let url: string;
  let daemon: Daemon | undefined;
  let master: RsyncDaemon;
  let mirror: Mirror;

  beforeEach(async (context) => {
    await skipUnless(context, "rsync", "nginx");
    folder = await temporaryFolder("opt-in");
    tree = await createTree();
    await tree.push({ repository: "fedora/app", tag: "40", layers: [LAYER] });
    await tree.publish(AMD64, 1);
    uploads = await folder.at("uploads");
    config = join(folder.path, "nearlayer.yaml");
    url = `http://127.0.0.1:${await freePort()}`;
    const settings = {
      catalog: tree.location,
      root: tree.root,
      mirrorlist: { listen: new URL(url).host },
      optin: { folder: uploads, allowPrivateAddress: true },
      crawler: { interval: "300ms" },
    };
    await writeFile(config, stringify(settings));
    const options = { optin: uploads, optinUser: userInfo().username };
    master = await startMaster({ dir: await folder.at("master"), config, options });
    mirror = await startMirror({ name: "m", dir: await folder.at("mirror") });
    await cp(join(tree.root, "pub"), mirror.root, { recursive: true });
  });
  afterEach(async () => {
    for (const one of [daemon, master, mirror]) await one?.stop();
    await tree?.[Symbol.asyncDispose]();
    await folder?.[Symbol.asyncDispose]();
  });

  const serve = async () => {
    daemon = await startMirrorlist(config, url, await folder.at("mirrorlist"));
  };
  const upload = async (name: string, text: string) => {
    const file = join(await folder.at("admin"), name);
    await writeFile(file, text);
    return run("rsync", ["--timeout=20", file, `${master.url}optin/`]);
  };
  let clients = 0;
  /** By another client each time: one that asks again says that it has been failed. */
  const pull = async () => {
    const headers = { "user-agent": `client/${++clients}` };
    const response = await fetch(`${url}/v2/fedora/app/blobs/${digestOf(LAYER)}`, { headers });
    return { served: new URL(response.url).host, mirror: response.headers.get("nearlayer-mirror") };
  };
  const isLeft = async () => (await readdir(uploads)).filter((name) => name !== ".taken");

  test("in, pulled from, restarted, changed, out", async () => {
    await serve();
    const host = new URL(mirror.url).host;
    expect((await pull()).served).toBe(new URL(url).host);
    expectOk(await upload("m.yaml", yaml(mirror.url)));
    await until(async () => (await apiOf(url)).status === 200, { what: "the upload to be read" });
    await until(async () => String((await apiOf(url)).json.reason).includes("404"), { what: "a look for the proof" });
    expect(await pull()).toEqual({ served: new URL(url).host, mirror: "origin; rank=none" });
    await writeFile(join(mirror.root, "nearlayer-mirror.txt"), `${proofOfToken(TOKEN)}\n`);
    await until(async () => (await pull()).served === host, { what: "a pull from the mirror", within: 30_000 });
    const asked = (await mirror.log.entries()).map(({ method, uri }) => `${method} ${uri}`);
    expect(asked).toContain(`GET /${pubBlobName(AMD64, digestOf(LAYER))}`);
    const { token: _, ...seen } = (await apiOf(url)).json;
    expect(seen).toMatchObject({ name: "m", state: "active" });

    daemon?.kill("SIGKILL");
    await until(() => daemon?.running() === false, { what: "the end" });
    await serve();
    await until(async () => (await pull()).served === host, { what: "a pull from the mirror after the restart" });

    expectOk(await upload("m.yaml", yaml(mirror.url, "bandwidth: 7\n")));
    await until(async () => (await apiOf(url)).json.bandwidth === 7, { what: "the change" });
    await tree.catalog.updateTable("mirror").set({ probeWantedAt: null }).execute();
    expectOk(await upload("m.checkin", ""));
    await until(async () => (await isLeft()).length === 0, { what: "the check-in to be read" });

    expectOk(await upload("m.yaml", `name: m\ntoken: ${TOKEN}\noptOut: true\n`));
    await until(async () => (await apiOf(url)).status === 404, { what: "the mirror to be gone" });
    const mark = await mirror.log.mark();
    expect(await pull()).toEqual({ served: new URL(url).host, mirror: "origin; rank=none" });
    const gets = (await mirror.log.entries(mark)).filter(({ uri }) => uri.includes("/blobs/"));
    expect(gets).toEqual([]);
    expect(await isLeft()).toEqual([]);
  });

  test("the module takes no links, shows nobody anything, and what is wrong is rejected with the reason", async () => {
    await serve();
    const admin = await folder.at("admin");
    await symlink("/etc/passwd", join(admin, "link.yaml"));
    expect((await run("rsync", ["-l", join(admin, "link.yaml"), `${master.url}optin/`])).exitCode).not.toBe(0);
    expectOk(await upload("m.yaml", "name: m\nurl: ftp://m.example.net/\ncountry: jp\n"));
    await until(async () => (await isLeft()).includes("rejected"), { what: "the rejection" });
    await until(async () => !(await isLeft()).includes("m.yaml"), { what: "the upload to be moved" });
    expect((await run("rsync", [`${master.url}optin/rejected/m.yaml`, admin])).exitCode).not.toBe(0);
    expect(await readFile(join(uploads, "rejected", "m.yaml.reason"), "utf8")).toMatch(
      /^m.yaml:2: url: not an http or https URL\nm.yaml:3: country: .*\nhint: /,
    );
    const log = await readFile(daemon?.logFile ?? "", "utf8");
    expect(log).toMatch('"msg":"an upload was rejected"');
  });

  test("killed between the reading of an upload and the catalog: neither lost nor doubled", async () => {
    await serve();
    let release = () => {};
    const locked = Promise.withResolvers<void>();
    const holding = tree.catalog.transaction().execute(async () => {
      locked.resolve();
      await new Promise<void>((resolve) => {
        release = resolve;
      });
    });
    await locked.promise;
    expectOk(await upload("m.yaml", yaml(mirror.url)));
    const taken = join(uploads, ".taken");
    await until(async () => (await readdir(taken)).length === 1, { what: "the upload to be taken" });
    daemon?.kill("SIGKILL");
    await until(() => daemon?.running() === false, { what: "the end" });
    release();
    await holding;
    expect(await readMirror(tree.catalog, "m")).toBeUndefined();
    await serve();
    await until(async () => (await apiOf(url)).status === 200, { what: "the upload to be read" });
    await until(async () => (await readdir(taken)).length === 0, { what: "the upload to be done with" });
    expect(await readMirrorChanges(tree.catalog, "m", 10)).toMatchObject([{ fromState: null, toState: "pending" }]);
  });
});

describe("two instances on one PostgreSQL catalog", () => {
  let folder: TemporaryFolder;
  let postgres: Postgres;
  let location: string;
  const urls: string[] = [];
  const daemons: Daemon[] = [];
  const configs: string[] = [];

  beforeAll(async () => {
    if ((await whyNot("postgres")) !== undefined) return;
    folder = await temporaryFolder("opt-in-pg");
    postgres = await startPostgres({ dir: await folder.at("postgres") });
    location = await postgres.createDatabase();
    for (const name of ["a", "b"]) {
      const url = `http://127.0.0.1:${await freePort()}`;
      const config = join(folder.path, `${name}.yaml`);
      const mirrors = [{ name: "own", url: "http://127.0.0.1:9/", country: "DE", allowPrivateAddress: true }];
      const settings = { catalog: location, root: await folder.at("root"), mirrorlist: { listen: new URL(url).host } };
      await writeFile(config, stringify({ ...settings, mirrors, optin: { allowPrivateAddress: true } }));
      daemons.push(await startMirrorlist(config, url, await folder.at(name)));
      urls.push(url);
      configs.push(config);
    }
  });
  afterAll(async () => {
    for (const daemon of daemons) await daemon.stop();
    await postgres?.[Symbol.asyncDispose]();
    await folder?.[Symbol.asyncDispose]();
  });
  beforeEach((context) => skipUnless(context, "postgres"));

  const at = (index: number) => urls[index] ?? "";
  const shownBy = async (url: string): Promise<string[]> => {
    const { mirrors } = (await (await fetch(`${url}/mirrors.json`)).json()) as {
      mirrors: { name: string; state: string }[];
    };
    return mirrors.map(({ name, state }) => `${name} ${state}`);
  };
  const everywhere = (name: string, state: string | undefined) =>
    Promise.all(
      urls.map((url) =>
        until(
          async () => {
            const found = (await shownBy(url)).find((shown) => shown.startsWith(`${name} `));
            return found === (state && `${name} ${state}`);
          },
          { what: `${url}: ${name} ${state ?? "gone"}`, within: 2000 },
        ),
      ),
    );

  test("what one is told, the other knows within two seconds", async () => {
    const added = await apiOf(at(0), "POST", {}, yaml("http://127.0.0.1:9/pub/"));
    expect(added.status).toBe(201);
    expect((await apiOf(at(1))).json).toMatchObject({ state: "pending" });
    await using catalog = await openCatalog(location);
    const checked = { name: "m", to: "active", reason: "checked", actor: "crawler" } as const;
    await setMirrorState(catalog, checked, new Date().toISOString());
    await everywhere("m", "active");
    const [, config = ""] = configs;
    expectOk(await mirrorlist(config, ["mirror", "disable", "own", "--reason", "new disks"]));
    await everywhere("own", "disabled");
    expect((await apiOf(at(1), "DELETE", AUTHORIZED)).status).toBe(200);
    expect(await shownBy(at(1))).toEqual(["own disabled"]);
    await everywhere("m", undefined);
  });

  test("while the catalog is away the network stays as it is, and the API says to come again", async () => {
    const before = await shownBy(at(0));
    await postgres.halt("immediate");
    try {
      const { status, json } = await apiOf(at(0), "POST", {}, yaml("http://127.0.0.1:9/pub/"));
      expect([status, (json.error as { code: string }).code]).toEqual([503, "UNAVAILABLE"]);
      expect(await shownBy(at(0))).toEqual(before);
    } finally {
      await postgres.resume();
    }
    await until(async () => (await apiOf(at(0), "POST", {}, yaml("http://127.0.0.1:9/pub/"))).status === 201, {
      what: "the catalog to be back",
    });
    await until(async () => (await apiOf(at(1))).status === 200, { what: "the other to know" });
  });
});
