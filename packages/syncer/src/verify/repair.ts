import { chmod, link, rename, rm, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import { latestGeneration } from "@nearlayer/shared/catalog/generations";
import { repositoriesOfBlob, type StoredBlob } from "@nearlayer/shared/catalog/stored";
import { hexOf } from "@nearlayer/shared/digest";
import { messageOf, NearlayerError, systemCode } from "@nearlayer/shared/errors";
import type { Platform } from "@nearlayer/shared/platform";
import { ingestDir, pubBlobPath, pubDir, storeBlobPath } from "@nearlayer/shared/tree";
import { carryBlob } from "../commands/carry.ts";
import type { StoreContext } from "../commands/context.ts";
import { makeGeneration } from "../publish/generations.ts";
import { showState } from "../publish/state.ts";
import { relinkBlob } from "../publish/tree.ts";
import type { Source } from "../source/source.ts";
import { BLOB_MODE, BLOB_MTIME } from "../store/blob-file.ts";
import { ensureFolder, sizeOf, syncFolder, syncFolders } from "../store/durable.ts";
import { hashFile, inspectBlob } from "./blob.ts";
import type { Finding } from "./finding.ts";

/** Opens the source the first time that something has to be fetched. */
export type GetSource = () => Promise<Source>;

/**
 * Puts a blob right: its bytes from a name in the tree that still has them or else from the source, then its names, mode
 * and time. Wrong bytes that nothing can replace are removed, from the tree too: a mirror that lacks a file is passed
 * over, one that has a wrong file is quarantined.
 */
export async function repairBlob(context: StoreContext, getSource: GetSource, blob: StoredBlob): Promise<void> {
  const { root } = context;
  const path = storeBlobPath(root, blob.digest);
  const findings = await inspectBlob(root, { ...blob, platforms: [] }, { quick: false });
  if (findings.some(({ fault }) => fault !== "metadata")) {
    // Out of the way, under a name that gc sweeps up.
    if (sizeOf(path) !== undefined) {
      await ensureFolder(ingestDir(root));
      await rename(path, join(ingestDir(root), `spoilt-${hexOf(blob.digest)}`));
      await syncFolder(dirname(path));
    }
    try {
      if (!(await recoverFromTree(root, blob))) await refetch(context, getSource, blob);
    } catch (error) {
      await removeWrongNames(root, blob);
      throw error;
    } finally {
      await rm(join(ingestDir(root), `spoilt-${hexOf(blob.digest)}`), { recursive: true, force: true });
    }
  }
  await setMetadata(path);
  for (const { fault, platform } of await inspectBlob(root, blob, { quick: false })) {
    if (platform === undefined) continue;
    if (fault === "metadata") await setMetadata(pubBlobPath(root, platform, blob.digest));
    else await syncFolder(await relinkBlob(root, platform, blob.digest));
  }
}

/** A name in the tree can be a file of its own, and right. */
async function recoverFromTree(root: string, { digest, size, platforms }: StoredBlob): Promise<boolean> {
  const path = storeBlobPath(root, digest);
  for (const platform of platforms) {
    const name = pubBlobPath(root, platform, digest);
    if (sizeOf(name) !== size || (await hashFile(name)) !== digest) continue;
    await ensureFolder(dirname(path));
    await link(name, path);
    await syncFolder(dirname(path));
    return true;
  }
  return false;
}

async function refetch(context: StoreContext, getSource: GetSource, blob: StoredBlob): Promise<void> {
  const [repository, ...alsoIn] = await repositoriesOfBlob(context.catalog, blob.digest);
  if (repository === undefined) {
    throw new NearlayerError("NOT_FOUND", `no repository is known to have ${blob.digest}`);
  }
  await carryBlob(context, await getSource(), { ...blob, repository, alsoIn });
}

async function removeWrongNames(root: string, { digest, size, platforms }: StoredBlob): Promise<void> {
  for (const platform of platforms) {
    const name = pubBlobPath(root, platform, digest);
    const found = sizeOf(name);
    if (found === undefined || (found === size && (await hashFile(name)) === digest)) continue;
    await rm(name, { force: true });
    await syncFolder(dirname(name));
  }
}

async function setMetadata(path: string): Promise<void> {
  await utimes(path, BLOB_MTIME, BLOB_MTIME);
  await chmod(path, BLOB_MODE);
}

/** Removes what does not belong there. */
export async function removeForeign(root: string, findings: readonly Finding[]): Promise<Map<Finding, string>> {
  const errors = new Map<Finding, string>();
  const folders = new Set<string>();
  for (const finding of findings) {
    try {
      await rm(join(root, finding.path));
      folders.add(dirname(join(root, finding.path)));
    } catch (error) {
      if (systemCode(error) !== "ENOENT") errors.set(finding, messageOf(error));
    }
  }
  await syncFolders(folders);
  return errors;
}

/**
 * Writes a platform's state again. Where the catalog itself holds other blobs than its generation says, a new generation
 * is made of what is there: mirrors see that something has changed, and compare.
 */
export async function repairState(
  { catalog, root, signer }: StoreContext,
  platform: Platform,
  findings: readonly Finding[],
): Promise<void> {
  for (const { path } of findings) if (path.endsWith(".gz")) await rm(join(root, path), { force: true });
  const generation = await latestGeneration(catalog, platform);
  if (generation === undefined) return;
  try {
    await showState(catalog, root, generation, signer);
  } catch (error) {
    if (!(error instanceof NearlayerError) || error.code !== "GENERATION_INVALID") throw error;
    await makeGeneration(catalog, root, signer, new Date(), platform);
  }
  await syncFolder(pubDir(root));
}
