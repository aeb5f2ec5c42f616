import { createCipheriv, createHash } from "node:crypto";
import { buffer } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import { type Blob, blob, sha256 } from "./blob.ts";

/** A layer: a tar of files, gzipped. */
export interface Layer extends Blob {
  /** Digest of the tar before gzip, as it stands in an image's config. */
  readonly diffId: string;
}

/** A file of a layer; with `link`, a symbolic link. A name that ends in a slash is a folder. */
export interface LayerFile {
  readonly name: string;
  readonly content?: string | Buffer;
  readonly link?: string;
  /** 0644 by default. */
  readonly mode?: number;
}

const epoch = new Date(0);

/** The same files give the same bytes, always. */
export async function buildLayer(files: readonly LayerFile[], level = 6): Promise<Layer> {
  const tar = pack();
  for (const { name, content = "", link, mode = 0o644 } of files) {
    if (link !== undefined) tar.entry({ name, type: "symlink", linkname: link, mode: 0o777, mtime: epoch });
    else if (name.endsWith("/")) tar.entry({ name, type: "directory", mode: 0o755, mtime: epoch });
    else tar.entry({ name, mode, mtime: epoch }, content);
  }
  tar.finalize();
  const bytes = await buffer(tar);
  return { ...blob(gzipSync(bytes, { level })), diffId: sha256(bytes) };
}

/** A layer of one file of random bytes, which no compression makes smaller; the same seed gives the same layer. */
export function randomLayer(seed: string, size: number): Promise<Layer> {
  const name = `random/${sha256(Buffer.from(seed)).slice(7, 19)}`;
  return buildLayer([{ name: "random/" }, { name, content: randomBytes(seed, size) }], 0);
}

/** Random bytes that are the same for the same seed. */
export function randomBytes(seed: string, size: number): Buffer {
  const key = createHash("sha256").update(seed).digest();
  return createCipheriv("aes-256-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(size));
}
