import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { failWhenBusy } from "@nearlayer/shared/catalog/busy";
import { latestGenerations } from "@nearlayer/shared/catalog/generations";
import { ensureDeclared } from "@nearlayer/shared/catalog/mirror-declared";
import { addMirror, readMirrorChanges, readMirrors } from "@nearlayer/shared/catalog/mirrors";
import { configSchema } from "@nearlayer/shared/config/schema";
import { createLogger } from "@nearlayer/shared/log";
import { generationName, pubBlobName, pubBlobPath, storeBlobPath } from "@nearlayer/shared/tree";
import { expect, onTestFinished, test } from "vitest";
import { createNetwork } from "../mirrors/network.ts";
import { createLook } from "../pull/look.ts";
import { startMirror, type TestMirror } from "../testing/http.ts";
import { AMD64, declare, NOW } from "../testing/mirrors.ts";
import { createTree } from "../testing/tree.ts";
import { createCrawlAgent, openCrawlCatalog } from "./catalog.ts";
import { createCrawler } from "./crawler.ts";
import { knownGenerations } from "./known.ts";
import { reportLooks } from "./report-looks.ts";

const WAIT = { timeout: 20_000, interval: 20 };

async function setUp(settings: Record<string, unknown> = {}, more: Record<string, unknown> = {}) {
  const stack = new AsyncDisposableStack();
  onTestFinished(() => stack.disposeAsync());
  const tree = stack.use(await createTree());
  const mirror = stack.use(await startMirror(tree.root));
  const image = await tree.push({ repository: "test/app", tag: "1", layers: ["one", "x".repeat(100_000)] });
  await tree.publish(AMD64, 1);
  const declared = [declare("m", { url: mirror.url, allowPrivateAddress: true, ...more })];
  const config = configSchema.parse({ crawler: { interval: "200ms", ...settings } });
  const catalog = stack.use(await openCrawlCatalog(tree.location));
  await ensureDeclared(catalog, declared, new Date(NOW).toISOString());
  const network = createNetwork(declared, await readMirrors(catalog));
  let newest = new Map((await latestGenerations(catalog)).map(({ platform, number }) => [platform, number]));
  const agent = stack.use(createCrawlAgent());
  const crawler = stack.use(
    createCrawler({
      ...{ catalog, network, agent, root: tree.root, now: Date.now, timeoutMs: 1000 },
      refresh: async () => network.follow(await readMirrors(catalog)),
      isKnown: knownGenerations(catalog),
      settings: () => config.crawler,
      newest: () => newest,
      needsApproval: () => false,
      log: createLogger("test", "silent"),
    }),
  );
  return {
    ...{ tree, mirror, image, catalog, network, crawler, agent, stack },
    seen: () => network.mirrors()[0],
    async publish(number: number) {
      await tree.publish(AMD64, number);
      newest = new Map([[AMD64, number]]);
    },
  };
}

const layerOf = ({ layers }: { layers: readonly string[] }) => layers[1] as `sha256:${string}` as never;

/** The mirror's own file, not the tree's: another server would have a copy. */
function serveOther(mirror: TestMirror, path: string, bytes: Buffer): void {
  mirror.fault = (request, response) => {
    if (!request.url?.endsWith(path)) return false;
    const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
    const part = start === undefined ? bytes : bytes.subarray(Number(start), Number(end) + 1);
    if (start !== undefined) response.setHeader("content-range", `bytes ${start}-${end}/${bytes.length}`);
    response.writeHead(start === undefined ? 200 : 206, { "content-length": part.length });
    response.end(request.method === "HEAD" ? undefined : part);
    return true;
  };
}

test("a mirror of the operator's is in use after its first full check, and its states are written down", async () => {
  const { crawler, seen, catalog, mirror } = await setUp();
  expect(seen()).toMatchObject({ state: "checking" });
  await crawler.runNow();
  expect(seen()).toMatchObject({ state: "active", reason: "passed its first full check" });
  expect(seen()?.probes.get(AMD64)).toMatchObject({ generation: 1 });
  // Every blob of the generation was looked at, for they are few.
  expect(mirror.requests.filter((line) => line.includes("/blobs/"))).toHaveLength(3);
  expect((await readMirrorChanges(catalog, "m", 9)).map(({ toState, actor }) => [toState, actor])).toEqual([
    ["active", "crawler"],
    ["checking", "operator"],
  ]);
  await crawler.runNow();
  expect(mirror.requests.filter((line) => line.includes("/blobs/"))).toHaveLength(3);
  const [row] = await catalog.selectFrom("mirrorProbe").selectAll().execute();
  expect(row).toMatchObject({ mirror: "m", generation: 1, shown: 1, failureKind: null });
});

test("one that opts in shows its proof first; another text is no proof", async () => {
  const { crawler, catalog, network, stack, tree } = await setUp();
  const other = stack.use(await startMirror(tree.root));
  const proof = createHash("sha256").update("token").digest("hex");
  const declared = declare("new", { url: other.url, allowPrivateAddress: true });
  const at = new Date().toISOString();
  await addMirror(catalog, { declared, proof, actor: "mirror", reason: "opted in", at }, { maxPending: 9 });
  network.follow(await readMirrors(catalog));
  const found = () => network.mirrors().find(({ name }) => name === "new");
  let text = "0".repeat(64);
  other.fault = (request, response) => request.url === "/nearlayer-mirror.txt" && Boolean(response.end(text));
  await crawler.runNow(new Set(["new"]));
  expect(found()).toMatchObject({
    state: "pending",
    reason: expect.stringContaining("is not the proof of this mirror"),
  });
  expect(other.requests).toEqual(["GET /nearlayer-mirror.txt"]);
  text = "x".repeat(100_000);
  await crawler.runNow(new Set(["new"]));
  expect(found()?.reason).toContain("larger than 200 bytes");
  text = `${proof}\n`;
  await crawler.runNow(new Set(["new"]));
  expect(found()?.state).toBe("active");
  expect((await readMirrorChanges(catalog, "new", 9)).map(({ toState }) => toState)).toEqual([
    "active",
    "checking",
    "pending",
  ]);
});

test("a whole blob is hashed within the budget of a day, and wrong bytes in its middle are found", async () => {
  const budget = { auditEvery: "200ms", hashBytesPerDay: 150_000 };
  const { crawler, seen, catalog, mirror, image, tree } = await setUp(budget);
  const path = pubBlobName(AMD64, layerOf(image));
  await crawler.runNow();
  crawler.start();
  const hashes = () => catalog.selectFrom("mirrorAudit").selectAll().where("kind", "=", "hash").execute();
  await expect.poll(async () => (await hashes()).some(({ digest }) => digest === layerOf(image)), WAIT).toBe(true);
  const whole = () => mirror.requests.filter((line) => line === `GET /${path}`).length;
  const before = whole();
  // The budget has no room for another one.
  await sleep(1500);
  const sum = (await hashes()).filter(({ digest }) => digest === layerOf(image)).length;
  expect(sum).toBe(1);
  expect(whole()).toBeGreaterThanOrEqual(before);
  const bytes = Buffer.from(await readFile(pubBlobPath(tree.root, AMD64, layerOf(image))));
  bytes.fill(7, 10, 99_900);
  serveOther(mirror, path, bytes);
  await expect.poll(() => seen()?.state, WAIT).toBe("quarantined");
  expect(seen()?.reason).toMatch(/has other bytes/);
});

test("without a tree here, wrong bytes are found by their hash alone", async () => {
  const { crawler, seen, mirror, image, tree } = await setUp({ auditEvery: "100ms" });
  await crawler.runNow();
  const path = pubBlobName(AMD64, layerOf(image));
  const bytes = Buffer.from(await readFile(pubBlobPath(tree.root, AMD64, layerOf(image))));
  bytes.fill(7, 10, 99_900);
  const whole = new Map<string, Buffer>([[path, bytes]]);
  for (const digest of [image.layers[0], image.config]) {
    if (digest !== undefined) whole.set(pubBlobName(AMD64, digest), await readFile(storeBlobPath(tree.root, digest)));
  }
  // As if this machine had no tree: nothing to compare a part with.
  for (const digest of [...image.layers, image.config]) await writeFile(pubBlobPath(tree.root, AMD64, digest), "");
  mirror.fault = (request, response) => {
    const file = whole.get((request.url ?? "").slice(1));
    if (file === undefined) return false;
    response.writeHead(200, { "content-length": file.length }).end(request.method === "HEAD" ? undefined : file);
    return true;
  };
  crawler.start();
  await expect.poll(() => seen()?.state, WAIT).toBe("quarantined");
  expect(seen()?.reason).toMatch(/they hash to sha256:/);
});

test("where our own copy is damaged, no mirror is blamed", async () => {
  const { crawler, seen, mirror, image, tree } = await setUp({ auditEvery: "200ms", hashBytesPerDay: 0 });
  await crawler.runNow();
  const path = pubBlobPath(tree.root, AMD64, layerOf(image));
  const right = await readFile(path);
  serveOther(mirror, pubBlobName(AMD64, layerOf(image)), right);
  await writeFile(path, Buffer.alloc(right.length));
  crawler.suspect({ mirror: seen() as never, platform: AMD64, digest: layerOf(image), size: right.length });
  await sleep(500);
  expect(seen()?.state).toBe("active");
});

test("what a client's way has shown is looked at: a wrong blob quarantines, and a right one does no harm", async () => {
  const { crawler, seen, mirror, image, tree, agent, catalog } = await setUp();
  await crawler.runNow();
  const look = reportLooks(createLook(agent, tree.root), crawler.suspect);
  const candidate = { mirror: seen() as never, platform: AMD64, rank: { kind: "rest" } as never, score: 1 };
  let times = 0;
  mirror.fault = (_, response) => {
    times += 1;
    // Wrong once, for the client; right for the crawler, which looks for itself.
    if (times > 1) return false;
    response.writeHead(206, { "content-range": "bytes 0-63/64", "content-length": 64 }).end(Buffer.alloc(64));
    return true;
  };
  expect(await look(candidate, layerOf(image), 100_000)).toMatchObject({ ok: false });
  const audits = () => catalog.selectFrom("mirrorAudit").select(["kind", "ok"]).execute();
  crawler.start();
  await expect.poll(audits, WAIT).toContainEqual({ kind: "range", ok: 1 });
  expect(seen()?.state).toBe("active");
});

test("redirects, probes and the way of a generation are history", async () => {
  const { crawler, catalog, publish, tree } = await setUp();
  await crawler.runNow();
  await tree.push({ repository: "test/app", tag: "2", layers: ["two"] });
  await publish(2);
  // The tree's helper makes generations of one time; this one is new.
  const time = `${new Date().toISOString().slice(0, 19)}Z`;
  await catalog.updateTable("generation").set({ time }).where("number", "=", 2).execute();
  await crawler.runNow();
  for (let count = 0; count < 3; count += 1) crawler.redirected("m", 1000);
  await crawler[Symbol.asyncDispose]();
  expect(await catalog.selectFrom("redirectHour").select(["mirror", "redirects", "bytes"]).execute()).toEqual([
    { mirror: "m", redirects: 3, bytes: 3000 },
  ]);
  const [hour] = await catalog.selectFrom("mirrorHour").selectAll().execute();
  expect(hour).toMatchObject({ mirror: "m", probes: 2, failed: 0 });
  const [way] = await catalog.selectFrom("propagation").selectAll().where("generation", "=", 2).execute();
  expect(way).toMatchObject({ platform: AMD64, mirrors: 1, halfAt: expect.any(String), allAt: expect.any(String) });
});

test("another writer on SQLite holds up neither the crawl nor this thread; what was seen is written once it can be", async () => {
  const { crawler, seen, catalog, tree, mirror, publish } = await setUp();
  await failWhenBusy(catalog);
  await crawler.runNow();
  await tree.push({ repository: "test/app", tag: "2", layers: ["two"] });
  await publish(2);
  const writer = new DatabaseSync(tree.location);
  writer.exec("begin immediate");
  crawler.start();
  const started = performance.now();
  await expect.poll(() => seen()?.probes.get(AMD64)?.generation, WAIT).toBe(2);
  let longest = 0;
  for (let last = performance.now(); performance.now() - started < 1500; ) {
    await sleep(5);
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }
  // Far below what SQLite itself would have waited on this thread, half a minute.
  expect(longest).toBeLessThan(5000);
  const written = async () => (await catalog.selectFrom("mirrorProbe").select("generation").execute())[0]?.generation;
  expect(await written()).toBe(1);
  writer.exec("rollback");
  writer.close();
  await expect.poll(written, WAIT).toBe(2);
  expect(mirror.requests.filter((line) => line.endsWith(generationName(AMD64))).length).toBeGreaterThan(1);
});
