import { formatBytes } from "@nearlayer/shared/cli";
import { EXIT } from "@nearlayer/shared/exit";
import { parseReference, type Reference } from "@nearlayer/shared/reference";
import type { GcResult } from "../commands/gc.ts";
import { type Cli, examples } from "./command.ts";

export function registerGc({ program, config, show, end, run }: Cli): void {
  program
    .command("gc")
    .description("remove what nothing has needed for the grace period: from the catalog, the tree and the store")
    .option("--dry-run", "say what would be removed, and change nothing")
    .option(
      "--forget <reference>",
      "take a tag, or all tags of a repository, back whatever the source says; may be repeated",
      (text: string, before: readonly Reference[]) => [...before, parseReference(text)],
      [],
    )
    .addHelpText("after", examples("syncer gc --dry-run", "syncer gc --forget fedora/app:38"))
    .action(async (options: { dryRun?: boolean; forget: readonly Reference[] }) => {
      const { gc } = await import("../commands/gc.ts");
      show(await gc(await config(), options, run), summarizeGc);
      end(EXIT.OK);
    });
}

/** What gc removed, for people. */
export function summarizeGc(result: GcResult): string {
  const { dryRun, forgotten, manifests, platforms, store, waiting, leftovers, generations } = result;
  const is = dryRun ? "would be" : "were";
  return [
    ...forgotten.map((name) => `${name} ${dryRun ? "would be" : "is"} taken back`),
    `${manifests} manifests ${is} removed, ${waiting} wait for the end of their grace period`,
    ...platforms.map(
      ({ platform, blobs, bytes }) => `${platform}: ${blobs} blobs ${is} dropped, ${formatBytes(bytes)}`,
    ),
    `store: ${store.blobs} files ${is} removed, ${formatBytes(store.bytes)}`,
    ...(leftovers > 0 ? [`${leftovers} abandoned downloads and other leftovers were removed`] : []),
    ...generations.map(({ platform, number, files }) => `${platform}: generation ${number}, ${files} blobs`),
  ].join("\n");
}
