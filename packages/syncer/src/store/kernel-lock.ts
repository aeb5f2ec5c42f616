import { close, closeSync, fstatSync, openSync, statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { messageOf, systemCode } from "@nearlayer/shared/errors";

/** Held until it is disposed of, or the process ends, however it ends. */
export type KernelLock = AsyncDisposable;

/** The lock files that this process has open: see below. */
const opened = new Set<string>();

/**
 * Takes the lock that a file stands for, or returns undefined when somebody has it, in this process or another. Node has
 * no flock(2); SQLite's exclusive transaction on an empty database is the same kind of kernel lock: it goes away with the
 * process, so that a killed one leaves nothing to clean up. The file is made when it is missing; its folder is not.
 *
 * Whoever holds the lock may remove the file before letting go: a file that was removed while it was being opened locks
 * nothing, so the name is looked at again once the lock is had. Throws the system's error, such as ENOSPC.
 */
export async function tryLock(file: string): Promise<KernelLock | undefined> {
  // Such locks belong to the process and go as soon as any descriptor of the file is closed in it (fcntl(2)): whoever
  // is second in this process must not even open the file.
  if (opened.has(file)) return undefined;
  opened.add(file);
  let descriptor: number | undefined;
  let database: DatabaseSync | undefined;
  const release = async () => {
    database?.close();
    if (descriptor !== undefined) closeLast(descriptor);
    opened.delete(file);
  };
  try {
    // Kept open: as long as it is, no other file can get its inode number.
    descriptor = openSync(file, "a");
    database = new DatabaseSync(file, { timeout: 0 });
    // A journal in memory: the lock alone is wanted, and a journal's file would cost as much as the rest together.
    database.exec("pragma journal_mode = memory; begin exclusive");
    const isTheFile = statSync(file, { throwIfNoEntry: false })?.ino === fstatSync(descriptor).ino;
    if (isTheFile) return { [Symbol.asyncDispose]: release };
  } catch (error) {
    await release();
    // Its folder was removed by the one who had the lock, between two of these steps.
    if (systemCode(error) === "ENOENT" || /locked|busy|unable to open/i.test(messageOf(error))) return undefined;
    throw error;
  }
  await release();
  return undefined;
}

/**
 * A removed file goes with its last descriptor, which can wait for the disk for long: that is left to another thread. Of
 * one that is still there, closing this would end the lock of who takes it next in this process, so that it comes first.
 */
function closeLast(descriptor: number): void {
  if (fstatSync(descriptor).nlink > 0) closeSync(descriptor);
  else close(descriptor, () => {});
}
