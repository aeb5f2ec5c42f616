import { link, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { recordImage } from "@nearlayer/shared/catalog/images";
import { type Catalog, openCatalog } from "@nearlayer/shared/catalog/open";
import { type Digest, digestOf } from "@nearlayer/shared/digest";
import { formatGeneration, sha256Hex } from "@nearlayer/shared/generation";
import { parseManifest } from "@nearlayer/shared/manifest";
import { MEDIA_TYPE } from "@nearlayer/shared/mediatype";
import type { Platform } from "@nearlayer/shared/platform";
import { parseRepository, parseTag } from "@nearlayer/shared/reference";
import { generationName, pubBlobPath, pubDir, storeBlobPath } from "@nearlayer/shared/tree";
import { AMD64 } from "./mirrors.ts";

/** A real tree and a real catalog, as the syncer would leave them. */
export interface Tree extends AsyncDisposable {
  readonly root: string;
  readonly location: string;
  readonly catalog: Catalog;
  /** Puts an image of one platform where the syncer would: store, tree and catalog. */
  push(image: TestImage): Promise<PushedImage>;
  /** Makes generation `number` of a platform out of everything that was pushed. */
  publish(platform: Platform, number: number): Promise<void>;
}

export interface TestImage {
  readonly repository: string;
  readonly tag: string;
  readonly layers: readonly string[];
  readonly platforms?: readonly Platform[];
  readonly mediaType?: string;
  readonly subject?: { readonly mediaType: string; readonly digest: Digest; readonly size: number };
  readonly artifactType?: string;
}

export interface PushedImage {
  readonly digest: Digest;
  readonly bytes: Buffer;
  readonly config: Digest;
  readonly layers: readonly Digest[];
}

/** The catalog is a file beside the tree, or where `database` says. */
export async function createTree(database?: string): Promise<Tree> {
  const folder = await mkdtemp(join(tmpdir(), "nearlayer-mirrorlist-"));
  const root = join(folder, "root");
  const location = database ?? join(folder, "catalog.db");
  const catalog = await openCatalog(location);
  return {
    root,
    location,
    catalog,
    push: (image) => push(root, catalog, image),
    publish: (platform, number) => publish(root, catalog, platform, number),
    async [Symbol.asyncDispose]() {
      await catalog.destroy();
      await rm(folder, { recursive: true });
    },
  };
}

async function push(root: string, catalog: Catalog, image: TestImage): Promise<PushedImage> {
  const { mediaType = MEDIA_TYPE.schema2, platforms = [AMD64] } = image;
  const put = async (content: Buffer, type: string) => {
    const digest = digestOf(content);
    await putFile(storeBlobPath(root, digest), content);
    for (const platform of platforms) {
      const path = pubBlobPath(root, platform, digest);
      await mkdir(dirname(path), { recursive: true });
      await link(storeBlobPath(root, digest), path).catch(ignoreExisting);
    }
    return { mediaType: type, size: content.length, digest };
  };
  const content = Buffer.from(JSON.stringify({ os: "linux", name: `${image.repository}:${image.tag}` }));
  const config = await put(content, "application/vnd.docker.container.image.v1+json");
  const layers = await Promise.all(
    image.layers.map((layer) => put(Buffer.from(layer), "application/vnd.docker.image.rootfs.diff.tar.gzip")),
  );
  const { subject, artifactType } = image;
  const bytes = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType, config, layers, subject, artifactType }, undefined, 1),
  );
  const digest = digestOf(bytes);
  await recordImage(catalog, {
    repository: parseRepository(image.repository),
    tag: parseTag(image.tag),
    digest,
    manifests: [{ digest, bytes, manifest: parseManifest(bytes), platforms }],
    contents: new Map([[config.digest, content]]),
  });
  return { digest, bytes, config: config.digest, layers: layers.map((layer) => layer.digest) };
}

async function publish(root: string, catalog: Catalog, platform: Platform, number: number): Promise<void> {
  const generation = {
    platform,
    number,
    time: "2026-11-22T12:00:00Z",
    files: 1,
    bytes: 1,
    listSha256: sha256Hex(`${platform} ${number}`),
  };
  await catalog.insertInto("generation").values(generation).execute();
  await putFile(join(pubDir(root), generationName(platform)), formatGeneration(generation));
}

async function putFile(path: string, content: Buffer | string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== "EEXIST") throw error;
}
