import { type Cli, examples } from "./command.ts";

export function registerKey({ program, config, show }: Cli): void {
  program
    .command("key")
    .description("the key that signs GENERATION")
    .command("generate")
    .description("make it, at publish.key, and print the line that others check it with")
    .addHelpText("after", examples("syncer key generate | tail -1 > nearlayer.pub"))
    .action(async () => {
      const { generateSigningKey } = await import("../commands/key.ts");
      show(generateSigningKey(await config()), ({ file, verifier }) => `${file}\n${verifier}`);
    });
}
