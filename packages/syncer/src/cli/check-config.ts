import { EXIT } from "@nearlayer/shared/exit";
import { type Cli, examples } from "./command.ts";

export function registerCheckConfig({ program, show, end }: Cli): void {
  program
    .command("check-config")
    .description("check the configuration whole, and do nothing else; exit code 1 when something in it is wrong")
    .addHelpText(
      "after",
      examples(
        "syncer check-config --config /etc/nearlayer/nearlayer.yaml",
        "syncer check-config --json | jq -r '.mistakes[] | \"\\(.line) \\(.key): \\(.reason)\"'",
      ),
    )
    .action(async () => {
      const { checkConfig, summarizeConfigCheck } = await import("@nearlayer/shared/config/check");
      const result = checkConfig(program.opts<{ config: string }>().config);
      show(result, summarizeConfigCheck);
      if (!result.ok) end(EXIT.USAGE);
    });
}
