import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { pushImage } from "../lib/images/push.ts";
import { sampleImage } from "../lib/images/samples.ts";
import { startMirrorlist } from "../lib/nearlayer.ts";
import { type Network, startNetwork } from "../lib/network.ts";
import { type Postgres, startPostgres } from "../lib/peers/postgres.ts";
import type { Daemon } from "../lib/process/daemon.ts";
import { type TemporaryFolder, temporaryFolder } from "../lib/process/folder.ts";
import { freePort } from "../lib/process/ports.ts";
import { expectOk } from "../lib/process/run.ts";
import { until } from "../lib/process/until.ts";
import { skipUnless, whyNot } from "../lib/requirements.ts";

const NEEDED = ["registry", "rsync", "nginx", "busybox", "postgres"] as const;
/** A client that gains from `urls`, in a country with a mirror. */
const PODMAN = { "user-agent": "libpod/4.3.1", "x-forwarded-for": "133.11.0.1" };
const ACCEPT = "application/vnd.docker.distribution.manifest.v2+json";

interface Instance {
  readonly url: string;
  daemon: Daemon;
}

/** Two mirror lists on one catalog, and a syncer beside them. The tests go on from one another. */
describe("two instances on one PostgreSQL catalog", () => {
  let folder: TemporaryFolder;
  let postgres: Postgres;
  let network: Network;
  const instances: Instance[] = [];
  /** What the first instance has made, and the other has not seen. */
  let variant: { digest: string; bytes: string };

  beforeAll(async () => {
    folder = await temporaryFolder("instances");
    for (const name of NEEDED) if (await whyNot(name)) return;
    postgres = await startPostgres({ dir: await folder.at("postgres") });
    network = await startNetwork({
      dir: folder.path,
      mirrors: [{ name: "example-jp", country: "JP" }],
      settings: { catalog: await postgres.createDatabase() },
    });
    await publish("1");
    await network.pullMirrors();
    for (const name of ["a", "b"]) instances.push(await startInstance(name));
    for (const { url } of instances) await until(() => isFresh(url), { what: "the mirror to be fresh" });
  });
  afterAll(async () => {
    for (const { daemon } of instances) await daemon.stop();
    await network?.[Symbol.asyncDispose]();
    await postgres?.[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });
  beforeEach((context) => skipUnless(context, ...NEEDED));

  async function publish(tag: string): Promise<void> {
    await pushImage(
      network.registry.url,
      "fedora/app",
      tag,
      await sampleImage({ name: `app-${tag}`, kind: "docker-manifest" }),
    );
    expectOk(await network.sync());
    expectOk(await network.publish());
  }

  async function startInstance(name: string): Promise<Instance> {
    const url = `http://127.0.0.1:${await freePort()}`;
    const settings = parse(await readFile(network.config, "utf8"));
    const mirrorlist = { ...settings.mirrorlist, listen: new URL(url).host, publicUrl: "http://registry.example.org" };
    const config = join(folder.path, `${name}.yaml`);
    await writeFile(config, stringify({ ...settings, mirrorlist, crawler: { interval: "500ms" } }));
    return { url, daemon: await startMirrorlist(config, url, await folder.at(name)) };
  }

  async function isFresh(url: string): Promise<boolean> {
    const { mirrors } = (await (await fetch(`${url}/mirrors.json`)).json()) as {
      mirrors: { platforms: { state: string }[] }[];
    };
    return mirrors.some(({ platforms }) => platforms.some(({ state }) => state === "fresh"));
  }

  const at = (index: number): Instance => {
    const instance = instances[index];
    if (instance === undefined) throw new Error(`no instance ${index}`);
    return instance;
  };
  const manifest = (index: number, reference: string, headers: Record<string, string> = {}) =>
    fetch(`${at(index).url}/v2/fedora/app/manifests/${reference}`, { headers: { accept: ACCEPT, ...headers } });
  const ready = async (index: number, query = "") => {
    const response = await fetch(`${at(index).url}/readyz${query}`);
    const { status: state, reasons } = (await response.json()) as { status: string; reasons: string[] };
    return { status: response.status, state, reasons };
  };
  const metric = async (index: number, name: string) =>
    new RegExp(`^${name} (\\S+)$`, "m").exec(await (await fetch(`${at(index).url}/metrics`)).text())?.[1];

  test("a variant that one has made is served by the other at once", async () => {
    const made = await manifest(0, "1", PODMAN);
    const digest = made.headers.get("docker-content-digest") ?? "";
    expect(made.headers.get("nearlayer-delivery")).toMatch(/^urls; original=sha256:/);
    variant = { digest, bytes: await made.text() };
    const other = await manifest(1, digest);
    expect([other.status, await other.text()]).toEqual([200, variant.bytes]);
  });

  test("a change reaches both without being asked for, and a request for it does not come too early", async () => {
    const published = publish("2");
    // As a client behind a balancer does it: what it was told of here, it asks for there.
    await until(async () => (await manifest(0, "2")).ok, { what: "the first to have it", within: 20_000, every: 5 });
    expect((await manifest(1, "2")).status).toBe(200);
    await published;
    await publish("3");
    const listed = async (index: number) => {
      const { tags } = (await (await fetch(`${at(index).url}/v2/fedora/app/tags/list`)).json()) as { tags: string[] };
      return tags.includes("3");
    };
    for (const index of [0, 1]) await until(() => listed(index), { what: "the tag to be listed" });
  });

  test("none needs the other to be alive", async () => {
    at(0).daemon.kill("SIGKILL");
    await until(() => !at(0).daemon.running(), { what: "the first to be gone" });
    expect(await (await manifest(1, variant.digest)).text()).toBe(variant.bytes);
    instances[0] = await startInstance("a-again");
    expect(await (await manifest(0, variant.digest)).text()).toBe(variant.bytes);
  });

  test("without PostgreSQL pulls go on from memory, and /readyz says so; when it is back, all is well by itself", async () => {
    await postgres.halt("immediate");
    await until(async () => (await ready(0)).status === 200 && (await ready(0, "?strict")).status === 503, {
      what: "/readyz to say so",
    });
    const { state, reasons } = await ready(0);
    expect([state, reasons]).toEqual(["degraded", ["the catalog cannot be read: pulls go on from memory"]]);
    expect(await metric(0, "nearlayer_catalog_up")).toBe("0");
    // Mirrors have been probed since: our outage does not take them out.
    const first = (await (await manifest(0, "1")).json()) as { layers: { digest: string }[] };
    const redirected = await fetch(`${at(0).url}/v2/fedora/app/blobs/${first.layers[0]?.digest}`, {
      headers: PODMAN,
      redirect: "manual",
    });
    expect(redirected.headers.get("nearlayer-mirror")).toBe("example-jp; rank=country");
    // A new variant cannot be kept: the original is right for everybody.
    const unkept = await manifest(0, "1", { ...PODMAN, "x-forwarded-for": "141.1.1.1" });
    expect(unkept.status).toBe(200);
    // Whether it exists nobody knows now, and a client must not be told that it does not.
    const unknown = await manifest(0, `sha256:${"0".repeat(64)}`);
    expect([unknown.status, unknown.headers.get("retry-after")]).toEqual([503, "5"]);

    await postgres.resume();
    await publish("4");
    for (const index of [0, 1]) {
      await until(async () => (await manifest(index, "4")).status === 200, { what: "the new tag", within: 20_000 });
      await until(async () => (await ready(index)).status === 200 && (await ready(index, "?strict")).status === 200, {
        what: "all to be well",
      });
    }
  });
});
