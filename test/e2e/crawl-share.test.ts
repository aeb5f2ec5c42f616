import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startMirror, type TestMirror } from "@nearlayer/mirrorlist/testing/http";
import { AMD64 } from "@nearlayer/mirrorlist/testing/mirrors";
import { createTree, type Tree } from "@nearlayer/mirrorlist/testing/tree";
import { wantProbe } from "@nearlayer/shared/catalog/mirror-states";
import { openCatalog } from "@nearlayer/shared/catalog/open";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import type { MirrorSeen } from "../lib/crawled.ts";
import { startMirrorlist } from "../lib/nearlayer.ts";
import { startPostgres } from "../lib/peers/postgres.ts";
import type { Daemon } from "../lib/process/daemon.ts";
import { type TemporaryFolder, temporaryFolder } from "../lib/process/folder.ts";
import { freePort } from "../lib/process/ports.ts";
import { until } from "../lib/process/until.ts";
import { skipUnless, whyNot } from "../lib/requirements.ts";

const MIRRORS = 12;
const INTERVAL_MS = 2000;
const ROUNDS = 5;

interface Instance {
  readonly url: string;
  readonly daemon: Daemon;
}

/** Real processes on one catalog. The tests go on from one another. */
describe.each(["sqlite", "postgres"] as const)("two instances that share the crawl on %s", (database) => {
  const needed = database === "postgres" ? (["postgres"] as const) : [];
  const cleanUp = new AsyncDisposableStack();
  const mirrors: TestMirror[] = [];
  let folder: TemporaryFolder;
  let tree: Tree;
  let instances: Instance[] = [];

  beforeAll(async () => {
    folder = await temporaryFolder(`crawl-share-${database}`);
    for (const name of needed) if (await whyNot(name)) return;
    const server =
      database === "postgres" ? cleanUp.use(await startPostgres({ dir: await folder.at("postgres") })) : undefined;
    tree = cleanUp.use(await createTree(await server?.createDatabase()));
    await tree.push({ repository: "test/app", tag: "1", layers: ["one"] });
    await tree.publish(AMD64, 1);
    for (let index = 0; index < MIRRORS; index += 1) mirrors.push(cleanUp.use(await startMirror(tree.root)));
    instances = [await startInstance("a", "2s"), await startInstance("b", "2s")];
    for (const instance of instances) {
      await until(async () => (await seen(instance)).every(({ state }) => state === "active"), {
        what: "all mirrors to be active",
        within: 30_000,
      });
    }
  });
  afterAll(async () => {
    for (const { daemon } of instances) await daemon.stop();
    await cleanUp.disposeAsync();
    await folder[Symbol.asyncDispose]();
  });
  beforeEach((context) => skipUnless(context, ...needed));

  async function startInstance(name: string, interval: string): Promise<Instance> {
    const url = `http://127.0.0.1:${await freePort()}`;
    const dir = await folder.at(name);
    const config = join(dir, "nearlayer.yaml");
    const declared = mirrors.map((mirror, index) => ({
      ...{ name: `m${index}`, url: mirror.url, country: "JP", allowPrivateAddress: true },
    }));
    const settings = { catalog: tree.location, root: tree.root, mirrors: declared, crawler: { interval } };
    await writeFile(config, stringify({ ...settings, mirrorlist: { listen: new URL(url).host } }));
    return { url, daemon: await startMirrorlist(config, url, dir) };
  }

  async function seen({ url }: Instance): Promise<MirrorSeen[]> {
    return ((await (await fetch(`${url}/mirrors.json`)).json()) as { mirrors: MirrorSeen[] }).mirrors;
  }

  /** How many probes an instance has made. */
  async function probesBy({ url }: Instance): Promise<number> {
    const text = await (await fetch(`${url}/metrics`)).text();
    return [...text.matchAll(/^nearlayer_probes_total\{[^}]*\} (\d+)$/gm)].reduce(
      (sum, [, count]) => sum + Number(count),
      0,
    );
  }

  const asked = () => mirrors.map(({ requests }) => requests.filter((line) => line.endsWith("/GENERATION")).length);

  test("each mirror is asked once in a round, by one or the other", async () => {
    const [before, shares] = [asked(), await Promise.all(instances.map(probesBy))];
    await sleep(ROUNDS * INTERVAL_MS);
    const counts = asked().map((count, index) => count - (before[index] ?? 0));
    // One more or less at the ends.
    for (const count of counts) expect(Math.abs(count - ROUNDS), String(counts)).toBeLessThanOrEqual(1);
    const made = (await Promise.all(instances.map(probesBy))).map((count, index) => count - (shares[index] ?? 0));
    for (const count of made) expect(count, String(made)).toBeGreaterThan(0);
  });

  test("what one has seen the other knows: a check-in is current on both, long before its turn", async () => {
    for (const { daemon } of instances) await daemon.stop();
    instances = [await startInstance("c", "60s"), await startInstance("d", "60s")];
    const count = () => asked().reduce((sum, one) => sum + one, 0);
    await until(async () => count() > 0, { what: "the first turns" });
    await tree.push({ repository: "test/app", tag: "2", layers: ["two"] });
    await tree.publish(AMD64, 2);
    await using other = await openCatalog(tree.location);
    const before = asked();
    await wantProbe(other, "m3", new Date().toISOString());
    for (const instance of instances) {
      await until(
        async () => {
          const mirror = (await seen(instance)).find(({ name }) => name === "m3");
          return mirror?.platforms.some(({ generation }) => generation === 2) ?? false;
        },
        { what: "the new generation of m3", within: 20_000 },
      );
    }
    expect((asked()[3] ?? 0) - (before[3] ?? 0)).toBe(1);
    for (const { daemon } of instances) await daemon.stop();
    instances = [await startInstance("e", "2s"), await startInstance("f", "2s")];
  });

  test("the share of one that is killed is taken over", async () => {
    await until(async () => (await Promise.all(instances.map(probesBy))).every((count) => count > 0), {
      what: "both to crawl",
      within: 30_000,
    });
    instances[0]?.daemon.kill("SIGKILL");
    await until(async () => !instances[0]?.daemon.running(), { what: "the first to be gone" });
    const before = asked();
    await sleep(ROUNDS * INTERVAL_MS);
    const counts = asked().map((count, index) => count - (before[index] ?? 0));
    for (const count of counts) expect(Math.abs(count - ROUNDS), String(counts)).toBeLessThanOrEqual(1);
  });
});
