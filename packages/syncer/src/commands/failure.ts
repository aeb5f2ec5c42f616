import { type ErrorCode, isNearlayerError, messageOf } from "@nearlayer/shared/errors";
import { EXIT, type ExitCode } from "@nearlayer/shared/exit";

/** Something that could not be done, by name, and why. */
export interface Failure {
  readonly repository: string;
  readonly tag?: string;
  readonly code: ErrorCode | "INTERNAL";
  readonly message: string;
  /** What can be done about it. */
  readonly hint?: string;
}

export function failureOf({ repository, tag }: { repository: string; tag?: string }, error: unknown): Failure {
  return {
    repository,
    ...(tag === undefined ? {} : { tag }),
    code: isNearlayerError(error) ? error.code : "INTERNAL",
    message: messageOf(error),
    ...(isNearlayerError(error) && error.hint !== undefined ? { hint: error.hint } : {}),
  };
}

/** `REPOSITORY` or `REPOSITORY:TAG` of a failure. */
export const nameOfFailure = ({ repository, tag }: Failure) =>
  tag === undefined ? repository : `${repository}:${tag}`;

/** How a command ends in which items failed: a source that was out of reach for all of them is told apart. */
export function exitCodeOfFailures(failures: readonly Failure[]): ExitCode {
  if (failures.length === 0) return EXIT.OK;
  return failures.every(({ code }) => code === "SOURCE_UNREACHABLE") ? EXIT.SOURCE_UNREACHABLE : EXIT.SOME_FAILED;
}

/** A line for each thing that failed, what and why, and one for each thing that can be done about some of them. */
export function linesOfFailures(failures: readonly Failure[]): string[] {
  const hints = new Set(failures.flatMap(({ hint }) => hint ?? []));
  return [
    ...failures.map((failure) => `failed: ${nameOfFailure(failure)}: ${failure.message}`),
    ...[...hints].map((hint) => `hint: ${hint}`),
  ];
}
