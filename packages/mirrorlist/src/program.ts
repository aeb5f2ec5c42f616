import { checkConfig, summarizeConfigCheck } from "@nearlayer/shared/config/check";
import { loadConfig } from "@nearlayer/shared/config/load";
import { EXIT, type ExitCode } from "@nearlayer/shared/exit";
import { parseReference } from "@nearlayer/shared/reference";
import { Command, CommanderError } from "commander";
import { crawl, crawlOn, hasFailures, summarizeChange, summarizeCrawl } from "./commands/crawl.ts";
import { explainPull, summarizeExplanation } from "./commands/explain.ts";
import { addMirrorCommands } from "./commands/mirror/program.ts";
import { serve, summarizeServing } from "./commands/serve.ts";

interface GlobalOptions {
  readonly config: string;
  readonly json?: boolean;
}

/** Reads the command line. `end` takes the exit code that the command leads to. */
function createProgram(end: (code: ExitCode) => void): Command {
  const program = new Command("mirrorlist")
    .description("Answers pulls: manifests from here, layers from a mirror near the client.")
    .option("--config <file>", "the configuration", "nearlayer.yaml")
    .option("--json", "print the result as JSON on stdout")
    .exitOverride()
    .showHelpAfterError("(mirrorlist --help shows the commands)")
    .addHelpText("after", EXAMPLES);

  const config = () => loadConfig(program.opts<GlobalOptions>().config);
  const show = <T>(result: T, summarize: (result: T) => string) =>
    console.log(program.opts<GlobalOptions>().json ? JSON.stringify(result) : summarize(result));

  program
    .command("serve")
    .description("answer pulls, in the foreground, until SIGTERM")
    .addHelpText("after", SERVING)
    .action(() => serve(config, (serving) => show(serving, summarizeServing)));

  program
    .command("crawl")
    .description("ask every mirror once how fresh it is, check what is new there, and show what it has")
    .option("--watch", "go on crawling, beside the servers on the same catalog, and print each change of state")
    .addHelpText("after", CRAWLING)
    .action(async ({ watch }: { watch?: boolean }) => {
      if (watch) {
        await crawlOn(config(), untilStopped(), (change) => show(change, summarizeChange));
        return;
      }
      const result = await crawl(config());
      show(result, summarizeCrawl);
      if (hasFailures(result)) end(EXIT.SOME_FAILED);
    });

  program
    .command("explain")
    .description("show which mirrors a client would get for an image, and why")
    .argument("<reference>", "REPOSITORY, REPOSITORY:TAG or REPOSITORY@DIGEST")
    .requiredOption("--ip <address>", "the client's address")
    .action(async (reference: string, { ip }: { ip: string }) => {
      show(await explainPull(config(), parseReference(reference), ip), summarizeExplanation);
    });

  addMirrorCommands(program, { config, show, end });

  program
    .command("check-config")
    .description("check the configuration whole, and do nothing else; exit code 1 when something in it is wrong")
    .action(() => {
      const result = checkConfig(program.opts<GlobalOptions>().config);
      show(result, summarizeConfigCheck);
      if (!result.ok) end(EXIT.USAGE);
    });

  return program;
}

function untilStopped(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stop.abort());
  return stop.signal;
}

const CRAWLING = `
It takes part in the crawl of the servers on the same catalog: what it sees, they know. \`serve\` crawls by itself;
\`crawl --watch\` is for a machine that should do that alone. docs/crawling.md says what is asked when.

Examples:
  mirrorlist crawl
  mirrorlist --json crawl | jq '.mirrors[] | select(.state != "active") | {name, reason}'
  mirrorlist crawl --watch`;

const SERVING = `
SIGTERM and SIGINT end it in order: /readyz says no, answers under way are finished.
SIGHUP reads the configuration again; a wrong one is refused, and the log says why.
Logs go to stderr, a JSON line each; NEARLAYER_LOG=debug shows more.

Examples:
  mirrorlist serve --config /etc/nearlayer.yaml
  mirrorlist --json serve | jq -r .url         # the address, when a port of 0 was asked for
  kill -HUP PID
  curl 127.0.0.1:5000/readyz`;

const EXAMPLES = `
Examples:
  mirrorlist serve
  mirrorlist crawl
  mirrorlist mirror list
  mirrorlist mirror add mirror.yaml
  mirrorlist explain fedora/app:40 --ip 203.0.113.7
  mirrorlist check-config --config /etc/nearlayer/nearlayer.yaml
  mirrorlist --json crawl | jq '.mirrors[].name'

Exit codes: 0 all well, 1 wrong use or configuration (each mistake with its file and
line), 2 a mirror fails or nothing has that name, 4 the disk is full, 70 a bug`;

/** Runs the command that the command line names, to its exit code. */
export async function main(): Promise<ExitCode> {
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
}
