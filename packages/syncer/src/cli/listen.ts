import { type Cli, examples } from "./command.ts";

export function registerListen({ program, config, show, run }: Cli): void {
  program
    .command("listen")
    .description("take events from message buses and webhooks, and sync and publish by them; stays in the foreground")
    .addHelpText(
      "after",
      examples(
        "syncer listen                                 by `events:` of the configuration; see docs/events.md",
        "syncer trigger fedora/app:40                  an event of one's own",
        "syncer events list                            what waits, and what is parked",
        "curl -s http://127.0.0.1:5010/healthz | jq    how it goes; /metrics has the figures",
      ),
    )
    .action(async () => {
      const { listen, summarizeListening } = await import("../commands/listen.ts");
      await listen(await config(), run, (listening) => show(listening, summarizeListening));
    });
}
