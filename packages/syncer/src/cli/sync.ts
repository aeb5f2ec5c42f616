import { formatBytes } from "@nearlayer/shared/cli";
import { parseReference } from "@nearlayer/shared/reference";
import { exitCodeOfFailures, linesOfFailures } from "../commands/failure.ts";
import { summarizeSync } from "../commands/summary.ts";
import { sync } from "../commands/sync.ts";
import { forecastSync, type SyncForecast } from "../commands/sync-plan.ts";
import { type Cli, examples } from "./command.ts";

export function registerSync({ program, config, show, end, run }: Cli): void {
  program
    .command("sync")
    .description("bring the tree up to what the source has; all of it, or the repositories and tags named")
    .argument("[references...]", "REPOSITORY or REPOSITORY:TAG")
    .option("--dry-run", "say what would be fetched, linked and removed, and change nothing")
    .addHelpText(
      "after",
      examples(
        "syncer sync                            everything that the configuration asks for",
        "syncer sync fedora/app:40 fedora/web   one tag, and all tags of a repository",
        "syncer sync --dry-run                  how much would come?",
        "syncer sync --json | jq -r '.failures[] | \"\\(.repository):\\(.tag) \\(.message)\"'",
      ),
    )
    .action(async (texts: string[], { dryRun }: { dryRun?: boolean }) => {
      const references = texts.map(parseReference);
      const result = dryRun ? await forecastSync(config(), references, run) : await sync(config(), references, run);
      if ("dryRun" in result) show(result, summarizeForecast);
      else show(result, summarizeSync);
      end(exitCodeOfFailures(result.failures));
    });
}

/** What a sync would do, for people. */
export function summarizeForecast(forecast: SyncForecast): string {
  const { checked, unchanged, updated, removed, failures, fetch, link } = forecast;
  return [
    `${checked} tags checked: ${updated.length} would be updated, ${unchanged} unchanged, ${failures.length} failed`,
    ...updated.map((name) => `would update: ${name}`),
    ...removed.map((name) => `would remove: ${name}, which the source no longer has`),
    `would fetch: ${fetch.blobs} blobs, ${formatBytes(fetch.bytes)}`,
    ...link.map(({ platform, blobs, bytes }) => `would link: ${blobs} blobs, ${formatBytes(bytes)}, in ${platform}`),
    ...linesOfFailures(failures),
    "nothing was changed",
  ].join("\n");
}
