import { constants } from "node:fs";
import { type FileHandle, mkdir, open, rename, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { systemCode } from "@nearlayer/shared/errors";

/**
 * The steps that make a change survive a power failure: the bytes are flushed, then they get their name, then the folder
 * that holds the name is flushed (see "Files are hard", and rename(2) and fsync(2)).
 */

/** Flushes a folder, so that names made or removed in it stay so. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** How many folders are flushed side by side: each is an open file meanwhile. */
const AT_ONCE = 32;

/** Flushes each folder once. */
export async function syncFolders(folders: Iterable<string>): Promise<void> {
  const left = [...new Set(folders)];
  while (left.length > 0) await Promise.all(left.splice(0, AT_ONCE).map(syncFolder));
}

/** Makes a folder and those above it, each durable. Costs one system call when it is there. */
export async function ensureFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true });
  if (first === undefined) return;
  for (let made = folder; ; made = dirname(made)) {
    await syncFolder(dirname(made));
    if (made === first) return;
  }
}

/** Gives flushed bytes their name. The folder is not flushed: callers that rename many do that once, at the end. */
export async function renameInto(temporary: string, path: string): Promise<void> {
  await ensureFolder(dirname(path));
  await rename(temporary, path);
}

/** Writes a small file as a whole: whoever looks sees the old bytes or the new. `temporary` is on the same device. */
export async function replaceFile(path: string, temporary: string, content: string | Uint8Array): Promise<void> {
  const handle = await open(temporary, "w", 0o644);
  await writeAndSync(handle, content);
  await renameInto(temporary, path);
  await syncFolder(dirname(path));
}

async function writeAndSync(handle: FileHandle, content: string | Uint8Array): Promise<void> {
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The size of a file in bytes, or undefined when there is none. */
export async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
