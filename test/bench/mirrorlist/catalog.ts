import { createHash } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import { openCatalog } from "@nearlayer/shared/catalog/open";
import { type Digest, digestOf } from "@nearlayer/shared/digest";
import { sha256Hex } from "@nearlayer/shared/generation";
import { MEDIA_TYPE } from "@nearlayer/shared/mediatype";
import { type Platform, parsePlatform } from "@nearlayer/shared/platform";

/** How large a made-up catalog is. An image has nine layers of its own and a configuration of about 1 KB. */
export interface Shape {
  /** Configurations included; a multiple of ten. */
  readonly blobs: number;
}

export const LAYERS = 9;
/** How many generations a platform has had, the blobs spread over them. */
export const GENERATIONS = 200;
export const PLATFORMS: readonly Platform[] = [parsePlatform("linux-amd64"), parsePlatform("linux-arm64")];

/** How many images a repository has. */
const TAGS = 100;

export interface Image {
  readonly repository: string;
  readonly tag: string;
  readonly layers: readonly Digest[];
}

/** What image `index` is called and made of; `sizeOf` gives its layers' sizes. */
export function imageOf(index: number): Image {
  return {
    repository: `bench/app-${Math.floor(index / TAGS)}`,
    tag: `v${index % TAGS}`,
    layers: Array.from({ length: LAYERS }, (_, layer) => layerOf(index * LAYERS + layer)),
  };
}

const layerOf = (index: number) => `sha256:${createHash("sha256").update(`layer ${index}`).digest("hex")}` as Digest;

/** A made-up blob's size is in its name, so that the mirrors know it without a catalog. 1 MB to 17 MB. */
export function sizeOf(digest: string): number {
  return 1_000_000 + Number.parseInt(digest.slice(-6), 16);
}

export const listSha256Of = (platform: string, number: number) => sha256Hex(`${platform} ${number}`);

/**
 * Writes a catalog as the syncer would have it after a long life, by plain statements in one transaction: a million blobs
 * take about a minute. Configurations are in no platform: they are served from memory, and the mirrors make up layers alone.
 * `manifest_ref` and `manifest_platform`, which the mirror list never reads, stay empty.
 */
export async function makeCatalog(file: string, { blobs }: Shape): Promise<void> {
  await (await openCatalog(file)).destroy();
  const db = new DatabaseSync(file);
  try {
    db.exec("pragma synchronous = off; pragma cache_size = -400000; begin");
    insertAll(db, Math.floor(blobs / (LAYERS + 1)));
    db.exec("update meta set value = 1 where key = 'revision'; commit; pragma wal_checkpoint(truncate)");
  } finally {
    db.close();
  }
}

function insertAll(db: DatabaseSync, images: number): void {
  const repository = db.prepare("insert or ignore into repository values (?)");
  const tag = db.prepare("insert into tag (repository, name, digest, revision) values (?, ?, ?, 1)");
  const manifest = db.prepare("insert into manifest (digest, media_type, bytes) values (?, ?, ?)");
  const member = db.prepare("insert into repository_manifest (repository, digest, revision) values (?, ?, 1)");
  const blob = db.prepare("insert into blob (digest, size, content) values (?, ?, ?)");
  const place = db.prepare("insert into platform_blob (platform, digest, since, revision) values (?, ?, ?, 1)");
  const generation = db.prepare("insert into generation values (?, ?, '2026-11-22T12:00:00Z', 1, 1, ?)");
  for (const platform of PLATFORMS) {
    for (let number = 1; number <= GENERATIONS; number += 1) {
      generation.run(platform, number, listSha256Of(platform, number));
    }
  }
  for (let index = 0; index < images; index += 1) {
    const image = imageOf(index);
    const platform = PLATFORMS[index % PLATFORMS.length] ?? "";
    const since = 1 + Math.floor((index * GENERATIONS) / images);
    const config = configOf(index);
    const bytes = manifestOf(image, config);
    const digest = digestOf(bytes);
    repository.run(image.repository);
    tag.run(image.repository, image.tag, digest);
    manifest.run(digest, MEDIA_TYPE.schema2, bytes);
    member.run(image.repository, digest);
    blob.run(digestOf(config), config.length, config);
    for (const layer of image.layers) {
      blob.run(layer, sizeOf(layer), null);
      place.run(platform, layer, since);
    }
  }
}

/** About 1 KB, as a small image has it. */
function configOf(index: number): Buffer {
  const history = Array.from({ length: LAYERS }, (_, layer) => ({ created_by: `RUN step ${layer} of image ${index}` }));
  const diffIds = Array.from({ length: LAYERS }, (_, layer) => `sha256:${index}-${layer}`);
  return Buffer.from(JSON.stringify({ os: "linux", architecture: "amd64", history, rootfs: { diff_ids: diffIds } }));
}

function manifestOf({ layers }: Image, config: Buffer): Buffer {
  const mediaType = "application/vnd.docker.image.rootfs.diff.tar.gzip";
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.schema2,
      config: {
        mediaType: "application/vnd.docker.container.image.v1+json",
        size: config.length,
        digest: digestOf(config),
      },
      layers: layers.map((digest) => ({ mediaType, size: sizeOf(digest), digest })),
    }),
  );
}
