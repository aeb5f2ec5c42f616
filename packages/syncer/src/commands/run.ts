import { type Progress, SILENT } from "../progress/progress.ts";

/** What the one who runs a command gives it, beside the configuration. */
export interface Run {
  /** Aborted when the command is to end early: it then does so in order, and throws the reason. */
  readonly signal: AbortSignal;
  readonly progress: Progress;
}

/** Nobody watches, and nobody interrupts. */
export const UNATTENDED: Run = { signal: new AbortController().signal, progress: SILENT };
