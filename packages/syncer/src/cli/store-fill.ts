import { formatBytes } from "@nearlayer/shared/cli";
import { parseDigest } from "@nearlayer/shared/digest";
import { exitCodeOfFailures, linesOfFailures } from "../commands/failure.ts";
import type { FetchResult } from "../commands/fetch.ts";
import { parseObject, parseSize, parseWanted } from "./arguments.ts";
import { type Cli, examples } from "./command.ts";

/** The verbs that bring something in. They only add blobs, so that any number of them may run at once. */
export function registerStoreFill(cli: Cli): void {
  registerFetch(cli);
  registerFetchObject(cli);
  registerIngest(cli);
}

function registerFetch({ program, config, show, end, run }: Cli): void {
  program
    .command("fetch")
    .description("bring images, or single blobs, into the store, and nowhere else: nothing is published")
    .argument("<references...>", "REPOSITORY, REPOSITORY:TAG or REPOSITORY@DIGEST; for blobs alone, REPOSITORY DIGEST…")
    .addHelpText(
      "after",
      examples(
        "syncer fetch fedora/app:40",
        "syncer fetch-object fedora/app:40 | jq -r '.layers[].digest' | xargs -P8 -n1 syncer fetch fedora/app",
      ),
    )
    .action(async (texts: string[]) => {
      const { fetchIntoStore } = await import("../commands/fetch.ts");
      const result = await fetchIntoStore(await config(), parseWanted(texts), run);
      show(result, summarizeFetch);
      end(exitCodeOfFailures(result.failures));
    });
}

function summarizeFetch({ images, fetched, failures }: FetchResult): string {
  return [
    ...images.map(({ reference, digest }) => (reference.endsWith(digest) ? reference : `${reference} ${digest}`)),
    `${fetched.blobs} blobs fetched, ${formatBytes(fetched.bytes)}`,
    ...linesOfFailures(failures),
  ].join("\n");
}

function registerFetchObject({ program, config, run }: Cli): void {
  program
    .command("fetch-object")
    .description("write a manifest or a blob of the source to stdout, verified; the store is not touched")
    .argument("<reference>", "REPOSITORY:TAG, REPOSITORY@DIGEST, or a REPOSITORY with the object after it")
    .argument("[object]", "TAG or DIGEST")
    .addHelpText(
      "after",
      examples(
        "syncer fetch-object fedora/app:40 | jq .",
        "syncer fetch-object fedora/app sha256:… | tar -tz",
        "syncer fetch-object fedora/app:40 | jq -r '.layers[] | \"\\(.digest) \\(.size)\"' |",
        "  xargs -P8 -n2 sh -c 'syncer fetch-object fedora/app $1 |",
        "    syncer ingest --expected-digest $1 --expected-size $2' -",
      ),
    )
    .action(async (reference: string, object: string | undefined) => {
      const { fetchObject } = await import("../commands/fetch-object.ts");
      await fetchObject(await config(), parseObject(reference, object), process.stdout, run);
    });
}

function registerIngest({ program, config, show, run }: Cli): void {
  program
    .command("ingest")
    .description("bring a blob into the store from stdin")
    .argument("[ref]", "what it is, for `syncer active`", "stdin")
    .requiredOption("--expected-digest <digest>", "what its bytes must hash to")
    .option("--expected-size <bytes>", "how many there must be", parseSize)
    .addHelpText("after", examples("syncer ingest --expected-digest sha256:… --expected-size 1234 <layer.tar.gz"))
    .action(async (ref: string, options: { expectedDigest: string; expectedSize?: number }) => {
      const wanted = { digest: parseDigest(options.expectedDigest), size: options.expectedSize, ref };
      const { ingestStream } = await import("../commands/ingest.ts");
      try {
        show(await ingestStream(await config(), wanted, process.stdin, run), ({ path }) => path);
      } finally {
        // Who has heard enough does not wait for the other end.
        process.stdin.destroy();
      }
    });
}
