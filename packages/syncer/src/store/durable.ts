import {
  closeSync,
  constants,
  fsync,
  futimesSync,
  mkdirSync,
  openSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { promisify } from "node:util";

/**
 * The steps that make a change survive a power failure: the bytes are flushed, then they get their name, then the folder
 * that holds the name is flushed (see "Files are hard", and rename(2) and fsync(2)).
 *
 * What the system does from its memory is done at once: to have another thread do it costs many times as much. Flushing
 * waits for the disk, and does not hold up anything else.
 */

/** Waits until what was written to an open file is on the disk. */
export const flush: (descriptor: number) => Promise<void> = promisify(fsync);

/** Flushes a folder, so that names made or removed in it stay so. */
export async function syncFolder(folder: string): Promise<void> {
  const descriptor = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await flush(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** How many folders are flushed side by side: each is an open file meanwhile. */
const AT_ONCE = 32;

/** Flushes each folder once; one that is not there has nothing to be flushed. */
export async function syncFolders(folders: Iterable<string>): Promise<void> {
  const left = [...new Set(folders)].filter((folder) => sizeOf(folder) !== undefined);
  while (left.length > 0) await Promise.all(left.splice(0, AT_ONCE).map(syncFolder));
}

/** Folders that are to be flushed by whoever has the set, before anything is told of what is in them. */
export type FlushLater = Set<string>;

/**
 * Makes a folder and those above it, each durable: at once, or once what is noted in `flushLater` has been flushed. Costs
 * one system call when it is there.
 */
export async function ensureFolder(folder: string, flushLater?: FlushLater): Promise<void> {
  const first = mkdirSync(folder, { recursive: true });
  if (first === undefined) return;
  for (let made = folder; ; made = dirname(made)) {
    if (flushLater === undefined) await syncFolder(dirname(made));
    else flushLater.add(dirname(made));
    if (made === first) return;
  }
}

/** Gives flushed bytes their name. The folder is not flushed: callers that rename many do that once, at the end. */
export async function renameInto(temporary: string, path: string): Promise<void> {
  await ensureFolder(dirname(path));
  renameSync(temporary, path);
}

/** Writes a small file as a whole: whoever looks sees the old bytes or the new. `temporary` is on the same device. */
export async function replaceFile(
  path: string,
  temporary: string,
  content: string | Uint8Array,
  { mtime }: { readonly mtime?: Date } = {},
): Promise<void> {
  const descriptor = openSync(temporary, "w", 0o644);
  try {
    writeFileSync(descriptor, content);
    if (mtime !== undefined) futimesSync(descriptor, mtime, mtime);
    await flush(descriptor);
  } finally {
    closeSync(descriptor);
  }
  await renameInto(temporary, path);
  await syncFolder(dirname(path));
}

/** The size of a file in bytes, or undefined when there is none. */
export function sizeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size;
}
