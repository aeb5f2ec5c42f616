import type { Config } from "@nearlayer/shared/config/schema";
import type { ExitCode } from "@nearlayer/shared/exit";
import type { Command } from "commander";
import type { Run } from "../commands/run.ts";

/**
 * What a command is registered with. Every command is registered at every start, so that help can tell of it; what it
 * works with is imported by its action: loading is most of what a short command costs.
 */
export interface Cli {
  readonly program: Command;
  /** Reads the configuration that the command line names. */
  readonly config: () => Promise<Config>;
  /** Prints a result: as JSON where that was asked for, else as `summarize` tells it. */
  readonly show: <T>(result: T, summarize: (result: T) => string) => void;
  /** Was JSON asked for? For what prints as it goes, one document a line. */
  readonly isJson: () => boolean;
  /** Who watches, and who may interrupt. */
  readonly run: Run;
  /** Takes the exit code that the command leads to. */
  readonly end: (code: ExitCode) => void;
}

/** The end of a command's help. */
export const examples = (...lines: readonly string[]) => `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}`;
