import { runMain } from "@nearlayer/shared/cli";
import { EXIT, type ExitCode } from "@nearlayer/shared/exit";
import { CommanderError } from "commander";
import { createProgram } from "./cli/program.ts";
import { createRun } from "./cli/run.ts";

/** Runs a command line to its exit code. */
export async function main(): Promise<void> {
  await runMain(async () => {
    let code: ExitCode = EXIT.OK;
    const run = await createRun();
    const program = createProgram(run, (ended) => {
      code = ended;
    });
    try {
      await program.parseAsync();
    } catch (error) {
      // Commander has printed what is wrong (or the help that was asked for) itself.
      if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.OK : EXIT.USAGE;
      throw error;
    } finally {
      run.progress.end();
    }
    return code;
  });
}
