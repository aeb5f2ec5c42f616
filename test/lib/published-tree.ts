import { linkSync, mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { latestGeneration } from "@nearlayer/shared/catalog/generations";
import { type Catalog, openCatalog } from "@nearlayer/shared/catalog/open";
import { type Digest, digestOf } from "@nearlayer/shared/digest";
import { createSigner, generateKey, type Signer, verifierLine } from "@nearlayer/shared/note";
import { type Platform, parsePlatform } from "@nearlayer/shared/platform";
import { pubBlobPath, storeBlobPath } from "@nearlayer/shared/tree";
import { makeGeneration } from "@nearlayer/syncer/publish/generations";
import { BLOB_MTIME } from "@nearlayer/syncer/store/blob-file";
import { stringify } from "yaml";

/** What comes to a platform and goes from it with its next generation. */
export interface TreeChange {
  readonly add?: readonly (Buffer | string)[];
  readonly drop?: readonly Digest[];
}

/** A tree with the generations that the syncer makes of it, of whatever bytes a test needs: no registry is asked. */
export interface PublishedTree extends AsyncDisposable {
  readonly root: string;
  readonly pub: string;
  /** A configuration for the syncer's other commands. */
  readonly config: string;
  /** The line to check its signatures with. */
  readonly verifier: string;
  /** Makes the next generation of a platform. */
  change(platform: string, change: TreeChange): Promise<void>;
}

export async function createPublishedTree(dir: string): Promise<PublishedTree> {
  const [config, root, location] = [join(dir, "nearlayer.yaml"), join(dir, "root"), join(dir, "catalog.db")];
  await writeFile(config, stringify({ catalog: location, root }));
  const signer = createSigner("master.example.org", generateKey());
  const catalog = await openCatalog(location);
  return {
    ...{ root, config, pub: join(root, "pub"), verifier: verifierLine(signer) },
    change: (platform, change) => applyChange(catalog, root, signer, parsePlatform(platform), change),
    [Symbol.asyncDispose]: () => catalog.destroy(),
  };
}

async function applyChange(
  catalog: Catalog,
  root: string,
  signer: Signer,
  platform: Platform,
  { add = [], drop = [] }: TreeChange,
): Promise<void> {
  const next = ((await latestGeneration(catalog, platform))?.number ?? 0) + 1;
  await catalog.transaction().execute(async (transaction) => {
    for (let start = 0; start < add.length; start += 1000) {
      const blobs = add.slice(start, start + 1000).map((content) => {
        const bytes = Buffer.from(content);
        return { digest: writeBlob(root, platform, bytes), size: bytes.length };
      });
      const stored = blobs.map((blob) => ({ ...blob, content: null }));
      await transaction
        .insertInto("blob")
        .values(stored)
        .onConflict((c) => c.doNothing())
        .execute();
      const places = blobs.map(({ digest }) => ({ platform, digest, since: next, until: null }));
      await transaction
        .insertInto("platformBlob")
        .values(places)
        .onConflict((c) => c.columns(["platform", "digest"]).doUpdateSet({ since: next, until: null }))
        .execute();
    }
    for (const digest of drop) {
      await transaction
        .updateTable("platformBlob")
        .set({ until: next })
        .where("platform", "=", platform)
        .where("digest", "=", digest)
        .execute();
    }
  });
  await makeGeneration(catalog, root, signer, new Date(), platform);
  for (const digest of drop) await rm(pubBlobPath(root, platform, digest), { force: true });
}

function writeBlob(root: string, platform: Platform, bytes: Buffer): Digest {
  const digest = digestOf(bytes);
  const [stored, shown] = [storeBlobPath(root, digest), pubBlobPath(root, platform, digest)];
  for (const path of [stored, shown]) mkdirSync(dirname(path), { recursive: true });
  try {
    writeFileSync(stored, bytes, { mode: 0o444, flag: "wx" });
    utimesSync(stored, BLOB_MTIME, BLOB_MTIME);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  linkSync(stored, shown);
  return digest;
}
