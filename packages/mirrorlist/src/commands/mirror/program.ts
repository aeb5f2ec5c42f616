import type { Config } from "@nearlayer/shared/config/schema";
import { EXIT, type ExitCode } from "@nearlayer/shared/exit";
import type { Command } from "commander";
import { type AddOptions, add, summarizeAdded } from "./add.ts";
import { intake, summarizeIntake } from "./intake.ts";
import { listMirrors, summarizeMirrors } from "./list.ts";
import { showMirror, summarizeMirror } from "./show.ts";
import { approve, disable, enable, remove, summarizeChanged } from "./states.ts";

/** What a command line has to do with, besides the commands. */
export interface CommandLine {
  config(): Config;
  show<T>(result: T, summarize: (result: T) => string): void;
  end(code: ExitCode): void;
}

/** `mirrorlist mirror …`. */
export function addMirrorCommands(program: Command, { config, show, end }: CommandLine): void {
  const mirror = program
    .command("mirror")
    .description("the mirrors: those of the configuration, and those that have opted in")
    .addHelpText("after", EXAMPLES);
  const named = (name: string, description: string) => mirror.command(name).description(description).argument("<name>");

  mirror
    .command("list")
    .description("all of them: state, since when, by whom declared, why")
    .action(async () => show(await listMirrors(config()), summarizeMirrors));
  named("show", "one of them, with its last changes, probes and audits").action(async (name: string) =>
    show(await showMirror(config(), name), summarizeMirror),
  );
  mirror
    .command("add")
    .description("opt a mirror in; prints its token and what it has to show")
    .argument("[file]", "its opt-in file (YAML); - is standard input")
    .option("--name <name>", "lower-case letters, digits, dots and dashes")
    .option("--url <url>", "its base URL, where it serves what the master's pub/ holds")
    .option("--country <code>", "two capital letters")
    .option("--bandwidth <mbit>", "Mbit/s; by default 100")
    .option("--platforms <names...>", "by default all")
    .option("--contact <text>", "whom to ask")
    .option("--asn <number>", "its autonomous system, whose clients are sent there first")
    .option("--netblocks <cidrs...>", "whose clients are sent there first")
    .option("--private", "for the clients of its netblocks alone")
    .option("--allow-private-address", "its address may be a private one")
    .addHelpText("after", ADD_EXAMPLES)
    .action(async (file: string | undefined, options: AddOptions) =>
      show(await add(config(), file, options), summarizeAdded),
    );
  named("approve", "let one that has opted in take part, once it has shown its proof").action(async (name: string) =>
    show(await approve(config(), name), summarizeChanged),
  );
  named("disable", "send nobody there any more, until it is enabled; it cannot opt in anew")
    .option("--reason <text>", "why, for those who look at it")
    .action(async (name: string, { reason }: { reason?: string }) =>
      show(await disable(config(), name, reason), summarizeChanged),
    );
  named("enable", "check one that was disabled, and let it take part again").action(async (name: string) =>
    show(await enable(config(), name), summarizeChanged),
  );
  named("remove", "take one that has opted in out; it may opt in anew")
    .option("--reason <text>", "why, for its history")
    .action(async (name: string, { reason }: { reason?: string }) =>
      show(await remove(config(), name, reason), ({ name }) => `${name} is removed`),
    );
  mirror
    .command("intake")
    .description("work once through the folder of uploads, as a running server does each second")
    .option("--folder <folder>", "by default optin.folder of the configuration")
    .action(async ({ folder }: { folder?: string }) => {
      const result = await intake(config(), folder);
      show(result, summarizeIntake);
      if (result.uploads.some((upload) => upload.result === "rejected")) end(EXIT.SOME_FAILED);
    });
}

const EXAMPLES = `
All of these work beside a running server, which takes changes up within a second.

Examples:
  mirrorlist mirror list
  mirrorlist mirror show example-jp
  mirrorlist mirror add mirror.yaml
  mirrorlist mirror approve example-jp                       # with optin.policy: approve
  mirrorlist mirror disable example-jp --reason "new disks"
  mirrorlist mirror enable example-jp
  mirrorlist --json mirror list | jq -r '.[] | select(.state != "active") | .name'`;

const ADD_EXAMPLES = `
Examples:
  mirrorlist mirror add mirror.yaml
  mirrorlist mirror add --name example-jp --url https://mirror.example.jp/containers/ --country JP --bandwidth 1000
  mirrorlist mirror add --name lab --url http://10.1.2.3/ --country DE --netblocks 10.1.0.0/16 --private --allow-private-address
  ssh mirror.example.jp cat mirror.yaml | mirrorlist mirror add -`;
