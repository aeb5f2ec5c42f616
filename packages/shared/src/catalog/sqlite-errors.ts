import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import { messageOf, NearlayerError } from "../errors.ts";

/** SQLite's result codes that have to do with the machine and not with us: https://www.sqlite.org/rescode.html */
const BUSY = 5;
const LOCKED = 6;
const READONLY = 8;
const IOERR = 10;
const CORRUPT = 11;
const FULL = 13;
const CANTOPEN = 14;
const NOTADB = 26;

/** Turns an error of `node:sqlite` into one that a user can do something about; what is our own bug stays as it is. */
export function explainSqliteError(error: unknown, file: string): unknown {
  const code = resultCode(error);
  if (code === undefined) return error;
  if (code === FULL || (code === IOERR && isFull(file))) {
    return new NearlayerError("DISK_FULL", `no space left for the catalog ${file}: ${messageOf(error)}`, {
      cause: error,
      hint: "nothing of this change is recorded; make room and run it again",
    });
  }
  const explained = EXPLANATIONS[code];
  if (explained === undefined) return error;
  const [what, hint] = explained;
  return new NearlayerError("CATALOG_FAILED", `catalog ${file} ${what}: ${messageOf(error)}`, { cause: error, hint });
}

const EXPLANATIONS: Readonly<Record<number, readonly [what: string, hint: string]>> = {
  [BUSY]: ["is busy", "another process has been writing to it for half a minute: is one of them stopped?"],
  [LOCKED]: ["is busy", "another process has been writing to it for half a minute: is one of them stopped?"],
  [READONLY]: [
    "cannot be written",
    "the file, its -wal and -shm beside it and its folder must be writable for this user",
  ],
  [IOERR]: ["cannot be read or written", "look at the disk's health; SQLite does not work on network file systems"],
  [CORRUPT]: ["is damaged", "restore it from a backup, or move it away and sync anew: the blobs stay in the store"],
  [CANTOPEN]: ["cannot be opened", "catalog must name a file, in a folder that this user may write to"],
  [NOTADB]: ["is not a catalog", "the file is something else: give `catalog` another path"],
};

/** The primary result code, without the details in the upper bits. */
function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return undefined;
  return error.errcode & 0xff;
}

/** SQLite says "input/output error" when the shared memory beside a WAL does not fit on the disk. */
function isFull(file: string): boolean {
  try {
    return statfsSync(dirname(file)).bavail === 0;
  } catch {
    return false;
  }
}
