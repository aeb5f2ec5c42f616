import { formatBytes } from "@nearlayer/shared/cli";
import { EXIT } from "@nearlayer/shared/exit";
import type { VerifyResult } from "../commands/verify.ts";
import { type Cli, examples } from "./command.ts";

export function registerVerify({ program, config, show, end, run }: Cli): void {
  program
    .command("verify")
    .description("hold the store and the tree against the catalog: bytes, sizes, links, and what does not belong there")
    .option("--quick", "read no bytes: sizes, modes, times and links only")
    .option("--repair", "remove what is wrong, and bring it back from the source")
    .addHelpText(
      "after",
      examples(
        "syncer verify",
        "syncer verify --quick",
        "syncer verify --repair --json | jq '.items[] | select(.repaired | not)'",
      ),
    )
    .action(async (options: { quick?: boolean; repair?: boolean }) => {
      const { verify } = await import("../commands/verify.ts");
      const result = await verify(await config(), options, run);
      show(result, summarizeVerify);
      end(result.wrong === 0 ? EXIT.OK : EXIT.SOME_FAILED);
    });
}

/** What was wrong, and whether it is still, for people. */
export function summarizeVerify({ checked, items, wrong, quick }: VerifyResult): string {
  const read = quick ? "" : `, ${formatBytes(checked.bytes)} read`;
  return [
    `${checked.blobs} blobs checked${read}: ${items.length - wrong} repaired, ${wrong} wrong`,
    ...items.map(({ path, reason, repaired, error }) => {
      const because = error === undefined ? "" : `: ${error}`;
      return `${repaired ? "repaired" : "wrong"}: ${path} ${reason}${repaired ? "" : because}`;
    }),
  ].join("\n");
}
