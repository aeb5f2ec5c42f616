import { createHash } from "node:crypto";
import { createReadStream, lstatSync, type Stats } from "node:fs";
import { relative } from "node:path";
import type { StoredBlob } from "@nearlayer/shared/catalog/stored";
import { type Digest, fromHex, type Hex } from "@nearlayer/shared/digest";
import { systemCode } from "@nearlayer/shared/errors";
import { pubBlobPath, storeBlobPath } from "@nearlayer/shared/tree";
import { BLOB_MODE, BLOB_MTIME } from "../store/blob-file.ts";
import type { Finding } from "./finding.ts";

/** A file can have so many names before a further one may be a copy; ext4 allows 65,000. */
const MAX_LINKS = 30_000;

export interface InspectOptions {
  /** Leave the bytes alone: sizes, modes, times and links only. */
  readonly quick: boolean;
  /** Told how many bytes have been hashed, as it goes on. */
  readonly onBytes?: (bytes: number) => void;
  /** Ends the look, between two pieces of a file at the latest. */
  readonly signal?: AbortSignal;
}

/** Looks at a blob in the store and at all its names in the tree. The store's file is read once, copies apart. */
export async function inspectBlob(root: string, blob: StoredBlob, options: InspectOptions): Promise<Finding[]> {
  const { digest, platforms } = blob;
  const path = storeBlobPath(root, digest);
  const stored = look(path);
  const findings: Finding[] = [];
  const add = (fault: Finding["fault"], file: string, reason: string, more: Partial<Finding> = {}) =>
    findings.push({ fault, path: relative(root, file), reason, digest, ...more });
  if (stored === undefined) add("missing", path, "is not in the store");
  else for (const [fault, reason] of await faultsOf(path, stored, blob, options)) add(fault, path, reason);

  for (const platform of platforms) {
    const name = pubBlobPath(root, platform, digest);
    const shown = look(name);
    if (shown === undefined) add("link", name, "is not in the tree", { platform });
    else if (stored !== undefined && shown.ino === stored.ino) continue;
    else if (stored !== undefined && stored.nlink < MAX_LINKS) add("link", name, "is a file of its own", { platform });
    else
      for (const [fault, reason] of await faultsOf(name, shown, blob, options)) add(fault, name, reason, { platform });
  }
  return findings;
}

/** At once: to have another thread look costs ten times as much, and there are three names to a blob. */
const look = (path: string): Stats | undefined => lstatSync(path, { throwIfNoEntry: false });

async function faultsOf(
  path: string,
  stats: Stats,
  { digest, size }: StoredBlob,
  options: InspectOptions,
): Promise<(readonly [Finding["fault"], string])[]> {
  if (!stats.isFile()) return [["bytes", "is no file"]];
  if (stats.size !== size) return [["size", `has ${stats.size} bytes, not ${size}`]];
  const faults: (readonly [Finding["fault"], string])[] = [];
  if (!options.quick && (await hashFile(path, options)) !== digest) faults.push(["bytes", "has other bytes"]);
  const mode = stats.mode & 0o7777;
  if (mode !== BLOB_MODE) faults.push(["metadata", `has mode ${mode.toString(8)}`]);
  if (stats.mtimeMs !== BLOB_MTIME * 1000) faults.push(["metadata", `has the time ${stats.mtime.toISOString()}`]);
  return faults;
}

/** The digest of a file's bytes, or undefined when the disk does not give them. */
export async function hashFile(
  path: string,
  { onBytes, signal }: Pick<InspectOptions, "onBytes" | "signal"> = {},
): Promise<Digest | undefined> {
  const hash = createHash("sha256");
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) {
      signal?.throwIfAborted();
      hash.update(chunk as Buffer);
      onBytes?.((chunk as Buffer).length);
    }
  } catch (error) {
    // A sector that cannot be read is what this is here to find.
    if (systemCode(error) === "EIO") return undefined;
    throw error;
  }
  return fromHex(hash.digest("hex") as Hex);
}
