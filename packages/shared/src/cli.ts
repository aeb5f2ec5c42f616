import { isNearlayerError, messageOf } from "./errors.ts";
import { type ExitCode, exitCodeOf } from "./exit.ts";

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
  if (!isNearlayerError(error)) {
    return `error: ${error instanceof Error ? (error.stack ?? error.message) : messageOf(error)}`;
  }
  const lines = error.message.split("\n").map((line) => `error: ${line}`);
  return [...lines, ...(error.hint === undefined ? [] : [`hint: ${error.hint}`])].join("\n");
}

/** Bytes as people read them: `1.5 MB`. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  for (; value >= 999.5 && unit < units.length - 1; unit++) value /= 1000;
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}
