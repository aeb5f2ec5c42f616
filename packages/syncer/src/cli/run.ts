import { EXIT, exitCodeOf } from "@nearlayer/shared/exit";
import { interruption } from "@nearlayer/shared/interrupt";
import { createLogger } from "@nearlayer/shared/log";
import type { Run } from "../commands/run.ts";
import { createLogProgress } from "../progress/log.ts";
import { type Progress, SILENT } from "../progress/progress.ts";
import { createTerminalProgress } from "../progress/terminal.ts";

/** How long a command may take to end in order once it was asked to, in milliseconds. Everything outlives a kill. */
const PATIENCE_MS = 5000;

/** What a command is run with from a command line. */
export function createRun(): Run {
  const signal = interruption();
  signal.addEventListener("abort", () => {
    setTimeout(() => process.exit(exitCodeOf(signal.reason)), PATIENCE_MS).unref();
  });
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    // `syncer list | head`
    process.exit(EXIT.READER_GONE);
  });
  return { signal, progress: createProgress() };
}

/** People see bars; a log is written where one is asked for; else nothing is said until the end. */
function createProgress(): Progress {
  if (process.env.NEARLAYER_LOG !== undefined) return createLogProgress(createLogger("syncer"));
  // A terminal without a size, as some runners of jobs have it, shows nothing.
  const { isTTY, columns = 0, rows = 0 } = process.stderr;
  return isTTY && columns > 0 && rows > 0 ? createTerminalProgress(process.stderr) : SILENT;
}
