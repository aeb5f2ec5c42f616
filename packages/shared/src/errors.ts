/**
 * What can go wrong in a way that a user can meet and do something about. Bugs stay plain `Error`s.
 * Each code has one meaning everywhere; `exit.ts` maps it to an exit code.
 */
export type ErrorCode =
  | "USAGE" // the command line is wrong
  | "CONFIG_INVALID" // the configuration file is missing, unreadable or wrong
  | "SOURCE_UNREACHABLE" // the stable registry does not answer at all
  | "SOURCE_REFUSED" // the stable registry answers with an error status
  | "SOURCE_BROKE_OFF" // the stable registry began to answer, and stopped or stalled
  | "NOT_FOUND" // a repository, tag, manifest or blob that does not exist
  | "DIGEST_MISMATCH" // bytes that do not hash to their digest
  | "SIZE_MISMATCH" // a body that is longer or shorter than declared
  | "DIGEST_INVALID" // a string that is not a digest
  | "NAME_INVALID" // a string that is not a repository name, tag, reference or platform
  | "MANIFEST_INVALID" // bytes that are not a manifest we can read
  | "MANIFEST_UNSUPPORTED" // a manifest of a kind that we do not carry, such as schema 1
  | "LIMIT_EXCEEDED" // more or larger than a bound allows
  | "GENERATION_INVALID" // a GENERATION, list or delta that does not hold
  | "PUBLISH_FAILED" // a target did not take the tree
  | "DISK_FULL" // no space, or no inodes, left on the device
  | "STORE_LOCKED" // another process works on the same store
  | "CATALOG_FAILED"; // the catalog cannot be opened, or is of a newer version

/** An error that a user can meet: one clear line (`message`), and what to do about it (`hint`). */
export class NearlayerError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "NearlayerError";
    this.code = code;
    this.hint = options.hint;
  }
}

/** Is this an error with that code (or, without a code, any error a user can meet)? */
export function isNearlayerError(error: unknown, code?: ErrorCode): error is NearlayerError {
  return error instanceof NearlayerError && (code === undefined || error.code === code);
}

/** The `code` that Node puts on system errors (`ENOENT`, `ECONNREFUSED`, …), looked for along the causes. */
export function systemCode(error: unknown): string | undefined {
  for (let current = error; current instanceof Error; current = current.cause) {
    if ("code" in current && typeof current.code === "string" && !(current instanceof NearlayerError)) {
      return current.code;
    }
  }
  return undefined;
}

/** One line that says what went wrong, whatever was thrown. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // An AggregateError (a connection tried on several addresses, say) has an empty message of its own.
  if (error instanceof AggregateError && error.message === "") return error.errors.map(messageOf).join("; ");
  return error.message.split("\n", 1)[0] ?? error.name;
}
