import { isNearlayerError, messageOf } from "./errors.ts";
import { type ExitCode, exitCodeOf, isDiskFull } from "./exit.ts";
import { Interrupted } from "./interrupt.ts";

/**
 * Runs a program's `main` to its exit code. What a user can meet becomes one `error:` line (one for each, where a
 * configuration has several) and a `hint:`; a bug shows its stack. Results go to stdout, this to stderr.
 */
export async function runMain(main: () => Promise<ExitCode>): Promise<void> {
  try {
    process.exitCode = await main();
  } catch (error) {
    process.exitCode = exitCodeOf(error);
    console.error(describe(error));
  }
}

function describe(error: unknown): string {
  if (error instanceof Interrupted) return `${error.message}; the same command goes on where it stopped`;
  if (isDiskFull(error) && !isNearlayerError(error)) {
    return `error: no space left: ${messageOf(error)}\nhint: free some space and run the same command again`;
  }
  if (!isNearlayerError(error)) {
    return `error: ${error instanceof Error ? (error.stack ?? error.message) : messageOf(error)}`;
  }
  const lines = error.message.split("\n").map((line) => `error: ${line}`);
  return [...lines, ...(error.hint === undefined ? [] : [`hint: ${error.hint}`])].join("\n");
}

/** Seconds as people read them: `45 s`, `3 min`, `2 h 5 min`, `4 d`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours >= 48) return `${Math.round(hours / 24)} d`;
  return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
}

/** Bytes as people read them: `1.5 MB`. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  for (; value >= 999.5 && unit < units.length - 1; unit++) value /= 1000;
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}
