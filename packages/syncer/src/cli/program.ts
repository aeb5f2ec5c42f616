import type { ExitCode } from "@nearlayer/shared/exit";
import { Command } from "commander";
import type { Run } from "../commands/run.ts";
import { registerCheckConfig } from "./check-config.ts";
import { type Cli, examples } from "./command.ts";
import { registerEvents } from "./events.ts";
import { registerGc } from "./gc.ts";
import { registerKey } from "./key.ts";
import { registerListen } from "./listen.ts";
import { registerPublish } from "./publish.ts";
import { registerRsyncdConfig } from "./rsyncd-config.ts";
import { registerStoreFill } from "./store-fill.ts";
import { registerStoreLook } from "./store-look.ts";
import { registerSync } from "./sync.ts";
import { registerTrigger } from "./trigger.ts";
import { registerVerify } from "./verify.ts";

interface GlobalOptions {
  readonly config: string;
  readonly json?: boolean;
}

const EXIT_CODES = `

Exit codes:
  0    all well
  1    wrong use or configuration
  2    some items failed; each is named
  3    the source is out of reach
  4    the disk is full
  5    another process has locked the store, or the tree
  70   a bug
  130  ended by Ctrl-C (SIGINT); 143 by SIGTERM; 141 when nobody reads stdout any more`;

/** The command line. `end` takes the exit code that the command leads to. */
export function createProgram(run: Run, end: (code: ExitCode) => void): Command {
  const program = new Command("syncer")
    .description("Carries images from a stable registry into the mirror tree, and the tree to the mirrors.")
    .option("--config <file>", "the configuration", "nearlayer.yaml")
    .option("--json", "print the result as JSON on stdout")
    .exitOverride()
    .showHelpAfterError("(syncer --help shows the commands)")
    .addHelpText(
      "after",
      examples(
        "syncer sync                      everything that the configuration asks for",
        "syncer sync fedora/app:40        one tag",
        "syncer sync && syncer publish",
        "syncer sync --json | jq .failures",
        "syncer help fetch                examples for a command",
      ) + EXIT_CODES,
    );
  const isJson = () => program.opts<GlobalOptions>().json ?? false;
  const cli: Cli = {
    program,
    run,
    end,
    isJson,
    config: async () => {
      const { loadConfig } = await import("@nearlayer/shared/config/load");
      return loadConfig(program.opts<GlobalOptions>().config);
    },
    show(result, summarize) {
      run.progress.end();
      const text = isJson() ? JSON.stringify(result) : summarize(result);
      if (text !== "") console.log(text);
    },
  };
  registerSync(cli);
  registerPublish(cli);
  registerListen(cli);
  registerTrigger(cli);
  registerEvents(cli);
  registerGc(cli);
  registerVerify(cli);
  registerStoreFill(cli);
  registerStoreLook(cli);
  registerKey(cli);
  registerCheckConfig(cli);
  registerRsyncdConfig(cli);
  return program;
}
