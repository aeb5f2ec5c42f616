import { EXIT, exitCodeOf } from "@nearlayer/shared/exit";
import { interruption } from "@nearlayer/shared/interrupt";
import type { Run } from "../commands/run.ts";
import { type Progress, SILENT } from "../progress/progress.ts";

/** How long a command may take to end in order once it was asked to, in milliseconds. Everything outlives a kill. */
const PATIENCE_MS = 5000;

/** What a command is run with from a command line. */
export async function createRun(): Promise<Run> {
  const signal = interruption();
  signal.addEventListener("abort", () => {
    setTimeout(() => process.exit(exitCodeOf(signal.reason)), PATIENCE_MS).unref();
  });
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    // `syncer list | head`
    process.exit(EXIT.READER_GONE);
  });
  return { signal, progress: await createProgress() };
}

/**
 * People see bars; a log is written where one is asked for; else nothing is said until the end. What does it is loaded
 * when it is needed: the half of a short command's time goes into loading.
 */
async function createProgress(): Promise<Progress> {
  if (process.env.NEARLAYER_LOG !== undefined) {
    const { createLogger } = await import("@nearlayer/shared/log");
    const { createLogProgress } = await import("../progress/log.ts");
    return createLogProgress(createLogger("syncer"));
  }
  // A terminal without a size, as some runners of jobs have it, shows nothing.
  const { isTTY, columns = 0, rows = 0 } = process.stderr;
  if (!isTTY || columns === 0 || rows === 0) return SILENT;
  const { createTerminalProgress } = await import("../progress/terminal.ts");
  return createTerminalProgress(process.stderr);
}
