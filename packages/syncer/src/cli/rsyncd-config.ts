import { EXIT } from "@nearlayer/shared/exit";
import type { RsyncdOptions, RsyncdResult } from "../commands/rsyncd-config.ts";
import { type Cli, examples } from "./command.ts";

export function registerRsyncdConfig({ program, config, show, end }: Cli): void {
  program
    .command("rsyncd-config")
    .description("print an rsyncd.conf for the master: a module for everything, one per platform, one for opt-ins")
    .option("--output <file>", "write it there, whole or not at all, in place of printing it")
    .option("--path <folder>", "what is exported; by default pub/ in the configuration's root")
    .option("--platforms <names...>", "which have a module of their own; by default all that the catalog knows")
    .option("--module-name <name>", "the module with everything in it; by default containers")
    .option("--optin <folder>", "take opt-ins there, in a write-only module; by default optin.folder, if there is one")
    .option("--optin-user <user>", "whom uploads belong to: the user of the mirror list; by default --user")
    .option("--address <address>", "where the daemon listens; by default everywhere")
    .option("--port <port>", "its port; by default rsync's own, 873")
    .option("--user <user>", "whom the daemon reads as; by default nobody")
    .option("--group <group>", "and its group; by default nogroup")
    .option("--max-connections <count>", "how many mirrors may be connected at a time; by default 200")
    .option("--lock-folder <folder>", "where rsync counts the connections; by default /run")
    .option("--no-chroot", "for a daemon that root does not start")
    .addHelpText(
      "after",
      examples(
        "syncer rsyncd-config                               look at it",
        "syncer rsyncd-config --output /etc/rsyncd.conf && systemctl enable --now rsync",
        "install -d -o nearlayer -m 700 /srv/optin && syncer rsyncd-config --optin /srv/optin --optin-user nearlayer",
        "syncer rsyncd-config --path /srv/containers --platforms linux-amd64 linux-arm64    on a host without nearlayer.yaml",
      ),
    )
    .action(async (options: RsyncdOptions) => {
      const { rsyncdConfig } = await import("../commands/rsyncd-config.ts");
      show(await rsyncdConfig(config, options), summarizeRsyncd);
      end(EXIT.OK);
    });
}

/** The file itself, or, when it was written, where it is and what it offers. */
function summarizeRsyncd({ config, modules, output }: RsyncdResult): string {
  return output === undefined ? config.trimEnd() : `${output}: ${modules.join(", ")}`;
}
