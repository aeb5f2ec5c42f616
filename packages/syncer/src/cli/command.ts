import type { Config } from "@nearlayer/shared/config/schema";
import type { ExitCode } from "@nearlayer/shared/exit";
import type { Command } from "commander";

/** What a command is registered with. */
export interface Cli {
  readonly program: Command;
  /** Reads the configuration that the command line names. */
  readonly config: () => Config;
  /** Prints a result: as JSON where that was asked for, else as `summarize` tells it. */
  readonly show: <T>(result: T, summarize: (result: T) => string) => void;
  /** Takes the exit code that the command leads to. */
  readonly end: (code: ExitCode) => void;
}
