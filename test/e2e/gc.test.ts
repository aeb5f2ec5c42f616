import { randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type BuiltImage, manifestFor } from "../lib/images/image.ts";
import { pushImage } from "../lib/images/push.ts";
import { randomImages } from "../lib/images/samples.ts";
import { type Registry, startRegistry } from "../lib/peers/registry.ts";
import { type RsyncDaemon, startRsyncDaemon } from "../lib/peers/rsyncd.ts";
import { type TemporaryFolder, temporaryFolder } from "../lib/process/folder.ts";
import { expectOk } from "../lib/process/run.ts";
import { whyNot } from "../lib/requirements.ts";
import { createSite, publishedBlobs, type Site } from "../lib/site.ts";

interface GcReport {
  readonly manifests: number;
  readonly waiting: number;
  readonly leftovers: number;
  readonly platforms: readonly { readonly platform: string; readonly blobs: number; readonly bytes: number }[];
  readonly store: { readonly blobs: number; readonly bytes: number };
  readonly generations: readonly { readonly platform: string; readonly number: number }[];
}

const missing = (await whyNot("registry")) ?? (await whyNot("rsync"));

/** What the source deletes is removed: late, never on a doubt, and from the tree only after the generation without it. */
describe.skipIf(missing !== undefined)(`removal (${missing ?? "docker-registry and rsync"})`, () => {
  let folder: TemporaryFolder;
  let registry: Registry;
  let daemon: RsyncDaemon;
  let masters: string;
  let site: Site;
  let old: BuiltImage;
  let current: BuiltImage;
  let repository: string;
  let round = 0;

  beforeAll(async () => {
    folder = await temporaryFolder("gc");
    registry = await startRegistry({ dir: await folder.at("registry") });
    masters = await folder.at("masters");
    const modules = [{ name: "masters", path: masters, readOnly: false }];
    daemon = await startRsyncDaemon({ dir: await folder.at("rsyncd"), modules });
    // The images of a platform have their first layer in common.
    const images = randomImages({ seed: "gc", count: 2, layerSize: 50_000, sharedLayers: 1 });
    [old, current] = (await Array.fromAsync(images)) as [BuiltImage, BuiltImage];
  });
  afterAll(async () => {
    await daemon?.stop();
    await registry?.stop();
    await folder?.[Symbol.asyncDispose]();
  });

  /** A repository with two tags, synced. */
  beforeEach(async () => {
    round += 1;
    repository = `round${round}/app`;
    site = await createSite(await folder.at(`site${round}`), { url: registry.url, repositories: [`round${round}/**`] });
    await folder.at("masters", `round${round}`);
    await site.configure({}, { publish: { targets: [`${daemon.url}masters/round${round}/`] } });
    await pushImage(registry.url, repository, "old", old);
    await pushImage(registry.url, repository, "new", current);
    expectOk(await site.sync());
  });

  const grace = (duration: string) => site.configure({}, { removal: { grace: duration } });
  const gc = async (...args: string[]) => {
    const result = await site.run<GcReport>("gc", ...args);
    expectOk(result);
    return result.report;
  };
  /** A tag of the source, deleted in its storage: the registry's own way takes all tags of the manifest. */
  const untag = (tag: string, name = repository) =>
    rename(
      join(registry.storage, `docker/registry/v2/repositories/${name}/_manifests/tags/${tag}`),
      join(folder.path, `untagged-${randomUUID()}`),
    );
  const tags = () => Object.keys(site.tags());
  const ownOf = (image: BuiltImage, other: BuiltImage) => {
    const shared = new Set(publishedBlobs(other));
    return publishedBlobs(image).filter((blob) => !shared.has(blob));
  };
  const query = (sql: string) => {
    using catalog = new DatabaseSync(join(site.root, "../catalog.db"), { readOnly: true });
    return catalog.prepare(sql).all();
  };
  const tombstones = () =>
    query("select platform || ' ' || digest as name from platform_blob where tombstoned_at is not null order by 1").map(
      ({ name }) => name,
    );
  const state = (platform: string, name: string) =>
    readFile(join(site.root, "pub/zz-state", platform, name)).then((bytes) =>
      name.endsWith(".gz") ? gunzipSync(bytes).toString() : bytes.toString(),
    );
  const stored = async () => {
    const names = await readdir(join(site.root, "store/blobs/sha256"), { recursive: true });
    return names.filter((name) => name.includes("/")).map((name) => `sha256:${name.slice(3)}`);
  };

  test("a deleted tag goes after two complete listings, its blobs after the grace period", async () => {
    await site.run("publish");
    await untag("old");
    expectOk(await site.sync());
    expect(tags()).toEqual([`${repository}:new`, `${repository}:old`]);

    const { report } = await site.run<{ removed: string[] }>("sync");
    expect(report.removed).toEqual([`${repository}:old`]);
    expect(tags()).toEqual([`${repository}:new`]);
    expect(tombstones()).toEqual(ownOf(old, current));
    // Nothing has gone yet, and nothing goes before its time.
    const all = [...new Set([...publishedBlobs(old), ...publishedBlobs(current)])].sort();
    expect(await gc()).toMatchObject({ manifests: 0, waiting: 3, platforms: [], generations: [] });
    expect(await site.published()).toEqual(all);

    await grace("0s");
    const plan = await gc("--dry-run");
    expect(await site.published()).toEqual(all);
    expect(plan).toMatchObject({
      manifests: 3,
      platforms: [
        { platform: "linux-amd64", blobs: 2 },
        { platform: "linux-arm64", blobs: 2 },
      ],
      store: { blobs: 4 },
    });
    const { generations, ...done } = await gc();
    expect(done).toEqual({ ...plan, dryRun: false, generations: undefined });
    expect(generations).toMatchObject([{ platform: "linux-amd64", number: 2 }, { number: 2 }]);
    expect(await site.published()).toEqual(publishedBlobs(current));
    expect((await stored()).sort()).toEqual(
      [...new Set(publishedBlobs(current).map((blob) => blob.split(" ")[1]))].sort(),
    );

    const lines = (await state("linux-amd64", "list-2.gz")).trim().split("\n");
    const hexes = publishedBlobs(current).flatMap((blob) => (blob.startsWith("linux-amd64") ? [blob.slice(-64)] : []));
    expect(lines.map((line) => line.slice(0, 64))).toEqual(hexes.sort());
    const gone = ownOf(old, current).flatMap((blob) => (blob.startsWith("linux-amd64") ? [blob.slice(-64)] : []));
    const delta = (await state("linux-amd64", "delta-1-2.gz")).trim().split("\n");
    expect(delta.map((line) => line.slice(0, 65))).toEqual(gone.sort().map((hex) => `-${hex}`));

    // And from the master, by name, after the state.
    const mark = await daemon.transfers.mark();
    const published = await site.run<{ targets: object[] }>("publish");
    expect(published.report.targets).toMatchObject([{ ok: true, pass: "changes" }]);
    const crossed = await daemon.transfers.entries(mark);
    const deleted = crossed.filter(({ operation, path }) => operation === "del." && path.includes("/blobs/"));
    expect(deleted.map(({ path }) => path.slice(-64)).sort()).toEqual(
      ownOf(old, current)
        .map((blob) => blob.slice(-64))
        .sort(),
    );
    const lastState = crossed.findLastIndex(({ path }) => path.endsWith("GENERATION"));
    expect(crossed.findIndex(({ operation }) => operation === "del.")).toBeGreaterThan(lastState);
    expect(expectOk(await site.run("verify")).exitCode).toBe(0);
  });

  test("nothing goes on the word of a listing that failed, is empty, or of a registry that is away", async () => {
    await grace("0s");
    await untag("old");
    expectOk(await site.sync());
    const folderOfTags = join(registry.storage, `docker/registry/v2/repositories/${repository}/_manifests/tags`);
    const aside = `${folderOfTags}-aside`;
    // Failed: the repository is not there for the registry.
    await rename(folderOfTags, aside);
    expect((await site.sync()).exitCode).toBe(2);
    // Empty.
    await mkdir(folderOfTags);
    await site.sync();
    await site.sync();
    await rename(folderOfTags, `${folderOfTags}-empty`);
    await rename(aside, folderOfTags);
    // Away.
    await site.configure({ url: "http://127.0.0.1:1" });
    expect((await site.sync()).exitCode).toBe(3);
    await site.configure({ url: registry.url });
    expect(await gc()).toMatchObject({ manifests: 0, waiting: 0, generations: [] });
    expect(tags()).toHaveLength(2);
    // It is the second complete one that counts.
    await site.sync();
    expect(tags()).toEqual([`${repository}:new`]);
  });

  test("a tag that is back in between begins anew", async () => {
    await untag("old");
    await site.sync();
    await pushImage(registry.url, repository, "old", old);
    await site.sync();
    await untag("old");
    await site.sync();
    expect(tags()).toHaveLength(2);
  });

  test("a moved tag's old image goes; what comes back in time stays", async () => {
    await untag("old");
    await pushImage(registry.url, repository, "new", old);
    expectOk(await site.sync());
    expectOk(await site.sync());
    expect(tombstones()).toEqual(ownOf(current, old));

    await pushImage(registry.url, repository, "again", current);
    expectOk(await site.sync());
    expect(tombstones()).toEqual([]);
    await grace("0s");
    expect(await gc()).toMatchObject({ manifests: 0, platforms: [] });
    expect(await site.published()).toEqual([...new Set([...publishedBlobs(old), ...publishedBlobs(current)])].sort());
  });

  test("what was dropped comes again whole", async () => {
    await grace("0s");
    await pushImage(registry.url, repository, "new", old);
    expectOk(await site.sync());
    expect(await gc()).toMatchObject({ manifests: 3 });
    expect(await site.published()).toEqual(publishedBlobs(old));
    await pushImage(registry.url, repository, "new", current);
    expectOk(await site.sync());
    expect(await site.published()).toEqual([...new Set([...publishedBlobs(old), ...publishedBlobs(current)])].sort());
    expect(expectOk(await site.run("verify")).exitCode).toBe(0);
  });

  test("what is archived stays for good, and what is forgotten by hand goes at once", async () => {
    await site.configure({}, { removal: { grace: "0s", archive: [`round${round}/*:ol*`] } });
    await untag("old");
    await site.sync();
    await site.sync();
    expect(await gc()).toMatchObject({ manifests: 0, platforms: [] });
    expect(tags()).toHaveLength(2);

    expect(await gc("--forget", `${repository}:old`)).toMatchObject({ manifests: 3 });
    expect(await site.published()).toEqual(publishedBlobs(current));
  });

  test("a signature by subject stays with its image, and goes with it", async () => {
    const { digest } = manifestFor(old, "amd64");
    // The registry of Debian knows no subject: the catalog is told of it.
    using catalog = new DatabaseSync(join(site.root, "../catalog.db"));
    catalog
      .prepare("update manifest set subject = ? where digest = ?")
      .run(digest, manifestFor(current, "amd64").digest);
    catalog.close();
    await grace("0s");
    await pushImage(registry.url, repository, "new", old);
    expectOk(await site.sync());
    // The index and the arm64 manifest have gone; the one that refers to what a tag names has not.
    expect(await gc()).toMatchObject({ manifests: 2 });
    await site.run("gc", "--forget", repository);
    expect(await site.published()).toEqual([]);
  });

  test("abandoned downloads and leftovers are swept once they are old", async () => {
    const ingest = join(site.root, "store/ingest");
    const hex = "a".repeat(64);
    await mkdir(join(ingest, hex), { recursive: true });
    await writeFile(join(ingest, hex, "data"), "half");
    await writeFile(join(ingest, "link-x"), "");
    expect(await gc()).toMatchObject({ leftovers: 0 });
    const past = new Date(Date.now() - 10 * 86_400_000);
    for (const name of [`${hex}/data`, hex, "link-x"]) await utimes(join(ingest, name), past, past);
    expect(await gc()).toMatchObject({ leftovers: 2 });
    await expect(stat(join(ingest, hex))).rejects.toThrow("ENOENT");
  });

  test("a run that was killed between the catalog and the disk is completed by the next", async () => {
    await grace("0s");
    await untag("old");
    await site.sync();
    await site.sync();
    const before = await site.published();
    // As a kill leaves it after the transaction: dropped in the catalog, all files there, no generation yet.
    using catalog = new DatabaseSync(join(site.root, "../catalog.db"));
    catalog.exec("update platform_blob set until = 2 where tombstoned_at is not null");
    catalog.exec(
      `delete from manifest_ref where parent in (select digest from manifest where unneeded_since is not null);
       delete from manifest_platform where digest in (select digest from manifest where unneeded_since is not null);
       delete from repository_manifest where digest in (select digest from manifest where unneeded_since is not null);
       delete from manifest where unneeded_since is not null`,
    );
    catalog.close();
    expect(await site.published()).toEqual(before);
    expect(await gc()).toMatchObject({ generations: [{ number: 2 }, { number: 2 }], store: { blobs: 4 } });
    expect(await site.published()).toEqual(publishedBlobs(current));
    expect(expectOk(await site.run("verify")).exitCode).toBe(0);
  });
});
