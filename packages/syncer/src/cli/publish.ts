import { NearlayerError } from "@nearlayer/shared/errors";
import { EXIT } from "@nearlayer/shared/exit";
import { publish } from "../commands/publish.ts";
import { summarizePublish } from "../commands/summary.ts";
import type { Cli } from "./command.ts";

export function registerPublish({ program, config, show, end }: Cli): void {
  program
    .command("publish")
    .description("carry the tree to every target of the configuration: blobs first, then the state, deletions last")
    .option("--full", "compare the whole tree, and not what has changed alone")
    .option("--max-delete <files>", "how many files may be deleted from a target, this time", parseCount)
    .action(async (options: { full?: boolean; maxDelete?: number }) => {
      const result = await publish(config(), options);
      show(result, summarizePublish);
      end(result.targets.every(({ ok }) => ok) ? EXIT.OK : EXIT.SOME_FAILED);
    });
}

function parseCount(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new NearlayerError("USAGE", `not a number of files: ${text}`);
}
