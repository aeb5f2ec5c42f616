import { formatBytes } from "@nearlayer/shared/cli";
import { parseReference, type Reference } from "@nearlayer/shared/reference";
import { exitCodeOfFailures, linesOfFailures } from "../commands/failure.ts";
import { summarizeSync } from "../commands/summary.ts";
import type { SyncForecast } from "../commands/sync-plan.ts";
import { type Cli, examples } from "./command.ts";

export function registerSync({ program, config, show, end, run }: Cli): void {
  async function carry(references: readonly Reference[]) {
    const { sync } = await import("../commands/sync.ts");
    const result = await sync(await config(), references, run);
    show(result, summarizeSync);
    return result;
  }

  async function forecast(references: readonly Reference[]) {
    const { forecastSync } = await import("../commands/sync-plan.ts");
    const result = await forecastSync(await config(), references, run);
    show(result, summarizeForecast);
    return result;
  }

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
      const result = dryRun ? await forecast(references) : await carry(references);
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
