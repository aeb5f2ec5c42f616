import { type ErrorCode, isNearlayerError, systemCode } from "./errors.ts";
import { Interrupted } from "./interrupt.ts";

/** The exit codes of both programs; documented in the README. */
export const EXIT = {
  OK: 0,
  /** Wrong use or configuration. */
  USAGE: 1,
  /** The run ended, but some items failed; each is named in the summary. */
  SOME_FAILED: 2,
  SOURCE_UNREACHABLE: 3,
  DISK_FULL: 4,
  STORE_LOCKED: 5,
  /** 128 and the signal's number, as shells count: ended by Ctrl-C, or by a request to end. */
  INTERRUPTED: 130,
  /** Likewise: whoever read the output has gone. */
  READER_GONE: 141,
  TERMINATED: 143,
  /** Something that should not happen: a bug, or a broken machine. */
  INTERNAL: 70,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** SQLite's own word for it (https://www.sqlite.org/rescode.html#full). */
const SQLITE_FULL = 13;

const BY_CODE: Record<ErrorCode, ExitCode> = {
  USAGE: EXIT.USAGE,
  CONFIG_INVALID: EXIT.USAGE,
  DIGEST_INVALID: EXIT.USAGE,
  NAME_INVALID: EXIT.USAGE,
  SOURCE_UNREACHABLE: EXIT.SOURCE_UNREACHABLE,
  SOURCE_REFUSED: EXIT.SOURCE_UNREACHABLE,
  SOURCE_BROKE_OFF: EXIT.SOME_FAILED,
  NOT_FOUND: EXIT.SOME_FAILED,
  DIGEST_MISMATCH: EXIT.SOME_FAILED,
  SIZE_MISMATCH: EXIT.SOME_FAILED,
  MANIFEST_INVALID: EXIT.SOME_FAILED,
  MANIFEST_UNSUPPORTED: EXIT.SOME_FAILED,
  LIMIT_EXCEEDED: EXIT.SOME_FAILED,
  GENERATION_INVALID: EXIT.SOME_FAILED,
  PUBLISH_FAILED: EXIT.SOME_FAILED,
  DISK_FULL: EXIT.DISK_FULL,
  STORE_LOCKED: EXIT.STORE_LOCKED,
  CATALOG_FAILED: EXIT.USAGE,
};

/** Is the cause, however deep, that the disk (or its inodes, or the quota) is used up? */
export function isDiskFull(error: unknown): boolean {
  const code = systemCode(error);
  if (code === "ENOSPC" || code === "EDQUOT") return true;
  for (let current = error; current instanceof Error; current = current.cause) {
    if (isNearlayerError(current, "DISK_FULL")) return true;
    if ("errcode" in current && current.errcode === SQLITE_FULL) return true;
  }
  return false;
}

/** The exit code that an error ends a command with. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof Interrupted) return error.signal === "SIGINT" ? EXIT.INTERRUPTED : EXIT.TERMINATED;
  if (isDiskFull(error)) return EXIT.DISK_FULL;
  return isNearlayerError(error) ? BY_CODE[error.code] : EXIT.INTERNAL;
}
