#!/usr/bin/env node
import { runMain } from "@nearlayer/shared/cli";
import { loadConfig } from "@nearlayer/shared/config/load";
import { EXIT, type ExitCode } from "@nearlayer/shared/exit";
import { parseReference } from "@nearlayer/shared/reference";
import { Command, CommanderError } from "commander";
import { registerGc } from "./cli/gc.ts";
import { registerPublish } from "./cli/publish.ts";
import { registerVerify } from "./cli/verify.ts";
import { generateSigningKey } from "./commands/key.ts";
import { summarizeSync } from "./commands/summary.ts";
import { sync } from "./commands/sync.ts";

interface GlobalOptions {
  readonly config: string;
  readonly json?: boolean;
}

/** Reads the command line. `end` takes the exit code that the command leads to. */
function createProgram(end: (code: ExitCode) => void): Command {
  const program = new Command("syncer")
    .description("Carries images from a stable registry into the mirror tree, and the tree to the mirrors.")
    .option("--config <file>", "the configuration", "nearlayer.yaml")
    .option("--json", "print the result as JSON on stdout")
    .exitOverride()
    .showHelpAfterError("(syncer --help shows the commands)")
    .addHelpText("after", EXAMPLES);

  const config = () => loadConfig(program.opts<GlobalOptions>().config);
  const show = <T>(result: T, summarize: (result: T) => string) =>
    console.log(program.opts<GlobalOptions>().json ? JSON.stringify(result) : summarize(result));

  program
    .command("sync")
    .description("bring the tree up to what the source has; all of it, or the repositories and tags named")
    .argument("[references...]", "REPOSITORY or REPOSITORY:TAG")
    .action(async (texts: string[]) => {
      const result = await sync(config(), texts.map(parseReference));
      show(result, summarizeSync);
      const isUnreachable =
        result.failures.length > 0 && result.failures.every(({ code }) => code === "SOURCE_UNREACHABLE");
      end(isUnreachable ? EXIT.SOURCE_UNREACHABLE : result.failures.length > 0 ? EXIT.SOME_FAILED : EXIT.OK);
    });

  const cli = { program, config, show, end };
  registerPublish(cli);
  registerGc(cli);
  registerVerify(cli);

  program
    .command("key")
    .description("the key that signs GENERATION")
    .command("generate")
    .description("make it, at publish.key, and print the line that others check it with")
    .action(() => show(generateSigningKey(config()), ({ file, verifier }) => `${file}\n${verifier}`));

  return program;
}

const EXAMPLES = `
Examples:
  syncer sync                          everything that the configuration asks for
  syncer sync fedora/app:40            one tag
  syncer publish && echo published
  syncer --json sync | jq .failures

Exit codes: 0 all well, 1 wrong use or configuration, 2 some items failed,
3 source unreachable, 4 disk full, 5 store locked, 70 a bug`;

await runMain(async () => {
  let code: ExitCode = EXIT.OK;
  const program = createProgram((ended) => {
    code = ended;
  });
  try {
    await program.parseAsync();
  } catch (error) {
    // Commander has printed what is wrong (or the help that was asked for) itself.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.OK : EXIT.USAGE;
    throw error;
  }
  return code;
});
