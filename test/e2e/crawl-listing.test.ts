import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { listBlobs } from "@nearlayer/mirrorlist/crawl/listing";
import { AMD64 } from "@nearlayer/mirrorlist/testing/mirrors";
import { createTree, type Tree } from "@nearlayer/mirrorlist/testing/tree";
import { pubDir } from "@nearlayer/shared/tree";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Crawled, pullTree, startCrawled } from "../lib/crawled.ts";
import { type Mirror, startMirror } from "../lib/peers/mirror.ts";
import { type RsyncDaemon, startRsyncDaemon } from "../lib/peers/rsyncd.ts";
import { type TemporaryFolder, temporaryFolder } from "../lib/process/folder.ts";
import { until } from "../lib/process/until.ts";
import { skipUnless, whyNot } from "../lib/requirements.ts";

const NEEDED = ["nginx", "rsync"] as const;
const OPTIONS = { allowPrivateAddress: true, timeoutMs: 10_000 };

/** A mirror that says where rsync lists its tree. The tests go on from one another. */
describe("a mirror that can be listed", () => {
  const cleanUp = new AsyncDisposableStack();
  let folder: TemporaryFolder;
  let tree: Tree;
  let mirror: Mirror;
  let rsyncd: RsyncDaemon;
  let crawled: Crawled;

  beforeAll(async () => {
    folder = await temporaryFolder("crawl-listing");
    for (const name of NEEDED) if (await whyNot(name)) return;
    tree = cleanUp.use(await createTree());
    const layers = Array.from({ length: 1500 }, (_, index) => `layer ${index}`);
    await tree.push({ repository: "test/app", tag: "1", layers });
    await tree.publish(AMD64, 1);
    mirror = cleanUp.use(await startMirror({ name: "m", dir: await folder.at("m") }));
    await pullTree(pubDir(tree.root), mirror.root);
    const dir = await folder.at("rsyncd");
    rsyncd = cleanUp.use(await startRsyncDaemon({ dir, modules: [{ name: "pub", path: mirror.root }] }));
    const declared = { name: "m", url: mirror.url, platforms: [AMD64], rsync: `${rsyncd.url}pub/` };
    crawled = cleanUp.use(await startCrawled({ dir: folder.path, tree, mirrors: [declared] }));
    await crawled.untilSeen("m", ({ state }) => state === "active");
  });
  afterAll(async () => {
    await cleanUp.disposeAsync();
    await folder[Symbol.asyncDispose]();
  });
  beforeEach((context) => skipUnless(context, ...NEEDED));

  const listings = async () => {
    const rows = await tree.catalog.selectFrom("mirrorAudit").selectAll().where("kind", "=", "listing").execute();
    return rows.map(({ ok, detail }) => ({ ok, detail }));
  };

  test("a part of what it should have is compared with the listing", async () => {
    await until(async () => (await listings()).length > 0, { what: "a listing" });
    expect((await listings())[0]).toEqual({
      ok: 1,
      detail: expect.stringMatching(/^linux-amd64\/blobs\/sha256\/[0-9a-f]{2}\/ has all \d+ blobs$/),
    });
  });

  test("a partial mirror is found by what its listing lacks, and counts for less", async () => {
    // One of the blobs in every folder: whichever is listed lacks it.
    const blobs = join(mirror.root, AMD64, "blobs/sha256");
    for (const name of await readdir(blobs)) {
      const [first = ""] = await readdir(join(blobs, name));
      await rm(join(blobs, name, first));
    }
    await until(async () => (await listings()).some(({ ok }) => ok === 0), { what: "a listing that lacks something" });
    const bad = (await listings()).find(({ ok }) => ok === 0);
    expect(bad?.detail).toMatch(/^linux-amd64\/blobs\/sha256\/[0-9a-f]{2}\/ lacks \d+ of \d+ blobs/);
    const found = await crawled.untilSeen("m", ({ platforms }) => platforms[0]?.doubt !== undefined);
    expect(found.platforms[0]).toMatchObject({ generation: 0, shown: 1 });
  });

  test("what cannot be listed has a reason, within time and bytes", async () => {
    const source = `${rsyncd.url}pub/`;
    const [first = ""] = await readdir(join(mirror.root, AMD64, "blobs/sha256"));
    expect(await listBlobs(source, AMD64, first, OPTIONS)).toMatchObject({ files: expect.any(Map) });
    expect(await listBlobs(source, AMD64, first, { ...OPTIONS, maxBytes: 10 })).toEqual({
      failure: "its listing is larger than 10 bytes",
    });
    expect(await listBlobs(source, AMD64, first, { ...OPTIONS, allowPrivateAddress: false })).toEqual({
      failure: "127.0.0.1 is a private or loopback address (allowPrivateAddress allows it)",
    });
    expect(await listBlobs(`${rsyncd.url}nothing/`, AMD64, first, OPTIONS)).toEqual({
      failure: expect.stringMatching(/^rsync ends with 5: @ERROR: Unknown module/),
    });
    const named = source.replace("127.0.0.1", "localhost");
    expect(await listBlobs(named, AMD64, first, { ...OPTIONS, allowPrivateAddress: false })).toMatchObject({
      failure: expect.stringContaining("private or loopback"),
    });
  });
});
