import { setImmediate as yieldToOthers } from "node:timers/promises";
import type { Catalog } from "@nearlayer/shared/catalog/open";
import { contentPages, readContents } from "@nearlayer/shared/catalog/served";
import type { Digest } from "@nearlayer/shared/digest";
import type { BlobTable } from "./blob-table.ts";
import { type Packed, pack } from "./packed.ts";
import { manifestOf, type ServedManifest } from "./snapshot.ts";

/** Configurations by digest; snapshots share them as they share manifests. */
export type Contents = Map<Digest, Packed>;

/** All configurations that are kept. */
export async function readAllContents(catalog: Catalog): Promise<Contents> {
  const contents: Contents = new Map();
  for await (const rows of contentPages(catalog)) {
    for (const { digest, content } of rows) contents.set(digest, pack(content));
    await yieldToOthers();
  }
  return contents;
}

/** Adds the configurations of manifests that are new: a configuration comes with the first manifest that names it. */
export async function addContents(
  catalog: Catalog,
  contents: Contents,
  manifests: readonly ServedManifest[],
): Promise<void> {
  const missing = new Set<Digest>();
  for (const served of manifests) {
    const manifest = manifestOf(served);
    if (manifest.kind === "image" && !contents.has(manifest.config.digest)) missing.add(manifest.config.digest);
  }
  for await (const rows of readContents(catalog, [...missing])) {
    for (const { digest, content } of rows) contents.set(digest, pack(content));
    await yieldToOthers();
  }
}

/** Those whose blob is still there. */
export async function keepContents(contents: Contents, blobs: BlobTable): Promise<Contents> {
  const kept: Contents = new Map();
  let count = 0;
  for (const [digest, content] of contents) {
    if (blobs.get(digest) !== undefined) kept.set(digest, content);
    if (++count % 5000 === 0) await yieldToOthers();
  }
  return kept;
}
