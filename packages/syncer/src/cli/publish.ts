import { NearlayerError } from "@nearlayer/shared/errors";
import { EXIT } from "@nearlayer/shared/exit";
import { summarizePublish, summarizePublishForecast } from "../commands/summary.ts";
import { type Cli, examples } from "./command.ts";

export function registerPublish({ program, config, show, end, run }: Cli): void {
  program
    .command("publish")
    .description("carry the tree to every target of the configuration: blobs first, then the state, deletions last")
    .option("--full", "compare the whole tree, and not what has changed alone")
    .option("--max-delete <files>", "how many files may be deleted from a target, this time", parseCount)
    .option("--dry-run", "say what rsync would send and delete, and change nothing")
    .addHelpText(
      "after",
      examples(
        "syncer publish --dry-run",
        "syncer publish --json | jq -r '.targets[] | select(.ok | not) | .message'",
        "syncer publish --max-delete 50000    after a large removal",
      ),
    )
    .action(async ({ dryRun, ...options }: { dryRun?: boolean; full?: boolean; maxDelete?: number }) => {
      const [{ publish }, { forecastPublish }] = await Promise.all([
        import("../commands/publish.ts"),
        import("../commands/publish-plan.ts"),
      ]);
      const result = dryRun ? await forecastPublish(await config(), run) : await publish(await config(), options, run);
      if ("dryRun" in result) show(result, summarizePublishForecast);
      else show(result, summarizePublish);
      end(result.targets.every(({ ok }) => ok) ? EXIT.OK : EXIT.SOME_FAILED);
    });
}

function parseCount(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new NearlayerError("USAGE", `not a number of files: ${text}`);
}
