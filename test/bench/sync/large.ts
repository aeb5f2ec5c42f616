import { linkSync, mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { latestGenerations } from "@nearlayer/shared/catalog/generations";
import { type Catalog, openCatalog } from "@nearlayer/shared/catalog/open";
import { type Digest, digestOf } from "@nearlayer/shared/digest";
import { parsePlatform } from "@nearlayer/shared/platform";
import { parseRepository, parseTag } from "@nearlayer/shared/reference";
import { pubBlobPath, storeBlobPath } from "@nearlayer/shared/tree";
import { makeGenerations } from "@nearlayer/syncer/publish/generations";
import { BLOB_MTIME } from "@nearlayer/syncer/store/blob-file";
import { stringify } from "yaml";
import { pushImage } from "../../lib/images/push.ts";
import { randomImages } from "../../lib/images/samples.ts";
import type { Registry } from "../../lib/peers/registry.ts";
import type { RsyncDaemon } from "../../lib/peers/rsyncd.ts";
import { type Measured, measureSyncer } from "./measure.ts";
import { megabytes, printTable, seconds } from "./table.ts";

export interface LargeOptions {
  /** Blobs of the small tree and of the large one. */
  readonly sizes: readonly [small: number, large: number];
}

const REPOSITORY = parseRepository("bench/large");
const PLATFORM = parsePlatform("linux-amd64");
/** A configuration and nine layers. */
const BLOBS_OF_IMAGE = 10;

/** What one pushed image costs in a small tree and in a large one. */
export async function benchLarge(
  registry: Registry,
  daemon: RsyncDaemon,
  dir: string,
  { sizes }: LargeOptions,
): Promise<void> {
  const rows: string[][] = [];
  const used: Record<string, Measured[]> = {};
  const images = await Array.fromAsync(randomImages({ seed: "bench large", count: 2, architectures: ["amd64"] }));
  for (const size of sizes) {
    const folder = join(dir, String(size));
    const target = join(dir, "master", String(size));
    mkdirSync(folder, { recursive: true });
    mkdirSync(target, { recursive: true });
    const config = join(folder, "nearlayer.yaml");
    const publish = { targets: [`${daemon.url}master/${size}/`] };
    const source = { url: registry.url, repositories: [REPOSITORY] };
    writeFileSync(config, stringify({ catalog: "catalog.db", root: "root", source, publish }));
    await fill(join(folder, "catalog.db"), join(folder, "root"), size);
    const run = async (name: string, args: readonly string[]) => {
      const measured = await measureSyncer(config, args, folder);
      used[name] = [...(used[name] ?? []), measured];
      rows.push([
        `${size} blobs: ${name}`,
        seconds(measured.seconds),
        seconds(measured.cpuSeconds),
        megabytes(measured.peakBytes),
      ]);
    };
    await measureSyncer(config, ["publish"], folder);
    for (const [index, image] of images.entries()) {
      await pushImage(registry.url, REPOSITORY, `pushed${index}`, image);
      // The first run reads the catalog from the disk, and is not counted.
      if (index === 0) await measureSyncer(config, ["sync", `${REPOSITORY}:pushed0`], folder);
      else await run("sync of one image", ["sync", `${REPOSITORY}:pushed1`]);
    }
    await run("publish of that", ["publish"]);
    await run("publish of nothing", ["publish"]);
    await run("gc --dry-run", ["gc", "--dry-run"]);
    await run("verify --quick", ["verify", "--quick"]);
  }
  printTable("One image in a tree of many blobs", ["", "time", "CPU", "peak memory"], rows);
  for (const [name, [small, large]] of Object.entries(used)) {
    if (small && large)
      console.log(`  ${name}: ${seconds(large.cpuSeconds - small.cpuSeconds)} of CPU beyond the small tree`);
  }
}

/** A catalog and a tree of so many blobs, in one platform, as syncs would have made them. */
async function fill(location: string, root: string, size: number): Promise<void> {
  const catalog = await openCatalog(location);
  try {
    await catalog.insertInto("repository").values({ name: REPOSITORY }).execute();
    for (let start = 0; start < size; start += 5000) {
      const names = Array.from({ length: Math.min(5000, size - start) }, (_, n) => `blob ${start + n}`);
      const blobs = names.map((name) => ({ digest: writeBlob(root, name), size: name.length }));
      await insert(catalog, blobs, start);
    }
    await makeGenerations(catalog, root, undefined, new Date());
    const [generation] = await latestGenerations(catalog);
    if (generation?.files !== size) throw new Error(`${generation?.files} blobs in the generation, not ${size}`);
  } finally {
    await catalog.destroy();
  }
}

function writeBlob(root: string, content: string): Digest {
  const digest = digestOf(content);
  const [stored, shown] = [storeBlobPath(root, digest), pubBlobPath(root, PLATFORM, digest)];
  for (const path of [stored, shown]) mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(stored, content, { mode: 0o444 });
  utimesSync(stored, BLOB_MTIME, BLOB_MTIME);
  linkSync(stored, shown);
  return digest;
}

async function insert(
  catalog: Catalog,
  blobs: readonly { digest: Digest; size: number }[],
  from: number,
): Promise<void> {
  const images = Array.from({ length: Math.ceil(blobs.length / BLOBS_OF_IMAGE) }, (_, n) => {
    const bytes = Buffer.from(`manifest ${from} ${n}${" ".repeat(1500)}`);
    return {
      digest: digestOf(bytes),
      bytes,
      blobs: blobs.slice(n * BLOBS_OF_IMAGE, (n + 1) * BLOBS_OF_IMAGE),
      name: parseTag(`v${from}-${n}`),
    };
  });
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const unset = { artifactType: null, subject: null, annotations: null };
  await catalog.transaction().execute(async (transaction) => {
    const chunked = async <Row>(rows: readonly Row[], write: (rows: Row[]) => Promise<unknown>) => {
      for (let start = 0; start < rows.length; start += 500) await write(rows.slice(start, start + 500));
    };
    await chunked(images, (rows) =>
      transaction
        .insertInto("manifest")
        .values(rows.map(({ digest, bytes }) => ({ digest, bytes, mediaType, ...unset })))
        .execute(),
    );
    await chunked(images, (rows) =>
      transaction
        .insertInto("repositoryManifest")
        .values(rows.map(({ digest }) => ({ repository: REPOSITORY, digest })))
        .execute(),
    );
    await chunked(images, (rows) =>
      transaction
        .insertInto("tag")
        .values(rows.map(({ digest, name }) => ({ repository: REPOSITORY, name, digest })))
        .execute(),
    );
    await chunked(images, (rows) =>
      transaction
        .insertInto("manifestPlatform")
        .values(rows.map(({ digest }) => ({ digest, platform: PLATFORM })))
        .execute(),
    );
    const refs = images.flatMap(({ digest: parent, blobs: own }) =>
      own.map(({ digest: child }, position) => ({
        ...{ parent, child, position },
        role: position === 0 ? ("config" as const) : ("layer" as const),
      })),
    );
    await chunked(refs, (rows) => transaction.insertInto("manifestRef").values(rows).execute());
    await chunked(blobs, (rows) =>
      transaction
        .insertInto("blob")
        .values(rows.map((row) => ({ ...row, content: null })))
        .execute(),
    );
    await chunked(blobs, (rows) =>
      transaction
        .insertInto("platformBlob")
        .values(rows.map(({ digest }) => ({ platform: PLATFORM, digest, since: 1, until: null })))
        .execute(),
    );
  });
}
