import { NearlayerError } from "@nearlayer/shared/errors";
import { EXIT } from "@nearlayer/shared/exit";
import { parseReference } from "@nearlayer/shared/reference";
import type { Triggered, TriggerResult } from "../commands/trigger.ts";
import { type Cli, examples } from "./command.ts";

export function registerTrigger({ program, config, show, end, run }: Cli): void {
  program
    .command("trigger")
    .description("hand over what is to be synced to `syncer listen`, which does it now, or when it runs again")
    .argument("<references...>", "REPOSITORY or REPOSITORY:TAG")
    .option("--wait", "return only when it is published, or cannot be")
    .option("--timeout <seconds>", "with --wait: for how long at the most", parseSeconds)
    .addHelpText(
      "after",
      examples(
        "syncer trigger fedora/app:40                       returns at once",
        "syncer trigger --wait fedora/app:40 fedora/web     exit code 2 when it ended up parked",
        "syncer trigger --wait --timeout 300 fedora/app",
      ),
    )
    .action(async (texts: string[], { wait = false, timeout }: { wait?: boolean; timeout?: number }) => {
      const references = texts.map(parseReference);
      const late = timeout === undefined ? [] : [AbortSignal.timeout(timeout * 1000)];
      const signal = AbortSignal.any([run.signal, ...late]);
      const { trigger } = await import("../commands/trigger.ts");
      const result = await trigger(await config(), references, { wait }, { ...run, signal }).catch((error: unknown) => {
        if (!late.some(({ aborted }) => aborted)) throw error;
        throw new NearlayerError("LIMIT_EXCEEDED", `not done within ${timeout} s; it goes on without us`, {
          hint: "`syncer events list` shows how far it is",
        });
      });
      show(result, summarizeTrigger);
      end(result.events.some(({ state }) => state === "parked" || state === "dropped") ? EXIT.SOME_FAILED : EXIT.OK);
    });
}

function summarizeTrigger({ events }: TriggerResult): string {
  return events.map((event) => `${nameOf(event)}: ${stateOf(event)} (event ${event.id})`).join("\n");
}

const nameOf = ({ repository, tag }: Triggered) => (tag === null ? String(repository) : `${repository}:${tag}`);

function stateOf({ state, reason }: Triggered): string {
  if (state === "waiting") return "handed over";
  return reason === null ? state : `${state}: ${reason}`;
}

function parseSeconds(text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new NearlayerError("USAGE", `not a number of seconds: ${text}`);
}
