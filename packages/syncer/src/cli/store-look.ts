import { existsSync } from "node:fs";
import { formatBytes, formatSeconds } from "@nearlayer/shared/cli";
import { parseDigest } from "@nearlayer/shared/digest";
import { NearlayerError } from "@nearlayer/shared/errors";
import { EXIT } from "@nearlayer/shared/exit";
import { storeBlobPath } from "@nearlayer/shared/tree";
import type { ActiveDownload } from "../store/active.ts";
import { type Cli, examples } from "./command.ts";
import { columns } from "./text.ts";

/** The verbs that show what is there, and the one that takes away. */
export function registerStoreLook(cli: Cli): void {
  registerActive(cli);
  registerList(cli);
  registerPath(cli);
  registerDelete(cli);
  registerImages(cli);
}

const age = (since: string | Date, now = Date.now()) =>
  formatSeconds(Math.max(0, (now - new Date(since).getTime()) / 1000));

function registerActive({ program, config, show }: Cli): void {
  program
    .command("active")
    .description("show what is coming into the store, or was broken off on its way")
    .addHelpText(
      "after",
      examples("watch syncer active", "syncer active --json | jq '.[] | select(.state == \"stopped\")'"),
    )
    .action(async () => {
      const { listActive } = await import("../store/active.ts");
      const { root } = await config();
      show(await listActive(root), summarizeActive);
    });
}

function summarizeActive(downloads: readonly ActiveDownload[]): string {
  const rows = downloads.map(({ digest, ref, offset, total, startedAt, state }) => [
    ref ?? digest,
    formatBytes(offset),
    total === undefined ? "?" : formatBytes(total),
    startedAt === undefined ? "?" : age(startedAt),
    state,
  ]);
  return columns([["REF", "OFFSET", "TOTAL", "AGE", "STATE"], ...rows], [1, 2, 3]);
}

function registerList({ program, config, isJson }: Cli): void {
  program
    .command("list")
    .alias("ls")
    .description("list the blobs of the store: digest, size in bytes, age; with --json, a document a line")
    .option("-q, --quiet", "digests alone")
    .addHelpText("after", examples("syncer list", "syncer list -q | xargs -n100 syncer delete    what nothing needs"))
    .action(async ({ quiet }: { quiet?: boolean }) => {
      const { listStore } = await import("../store/list.ts");
      const { root } = await config();
      // As it is read: a store can have more than fits into memory.
      for await (const page of listStore(root)) {
        for (const { digest, size, since } of page) {
          if (quiet) console.log(digest);
          else if (isJson()) console.log(JSON.stringify({ digest, size, since }));
          else console.log(`${digest}  ${String(size).padStart(12)}  ${age(since)}`);
        }
      }
    });
}

function registerPath({ program, config, show }: Cli): void {
  program
    .command("path")
    .description("print the path of a blob's file in the store")
    .argument("<digest>")
    .addHelpText("after", examples('tar -tzf "$(syncer path sha256:…)"'))
    .action(async (text: string) => {
      const digest = parseDigest(text);
      const { root } = await config();
      const path = storeBlobPath(root, digest);
      if (!existsSync(path)) throw new NearlayerError("NOT_FOUND", `${digest} is not in the store`);
      show({ digest, path }, () => path);
    });
}

function registerDelete({ program, config, show, end, run }: Cli): void {
  program
    .command("delete")
    .alias("rm")
    .description("delete blobs from the store; what something published needs is refused")
    .argument("<digests...>")
    .addHelpText("after", examples("syncer delete sha256:…"))
    .action(async (texts: string[]) => {
      const { deleteBlobs } = await import("../commands/delete.ts");
      const results = await deleteBlobs(await config(), texts.map(parseDigest), run);
      show(results, (all) =>
        all
          .map((each) => `${each.outcome}: ${each.digest}${each.outcome === "refused" ? ` is ${each.reason}` : ""}`)
          .join("\n"),
      );
      end(results.every(({ outcome }) => outcome === "deleted") ? EXIT.OK : EXIT.SOME_FAILED);
    });
}

function registerImages({ program, config, show }: Cli): void {
  program
    .command("images")
    .description("list what is recorded: repository, tag, digest, size, platforms")
    .addHelpText("after", examples("syncer images", "syncer images --json | jq 'map(.size) | add'"))
    .action(async () => {
      const { catalog: location } = await config();
      const [{ openCatalogToRead }, { listImages }] = await Promise.all([
        import("@nearlayer/shared/catalog/read"),
        import("@nearlayer/shared/catalog/listing"),
      ]);
      const catalog = await openCatalogToRead(location);
      try {
        show(await listImages(catalog), (images) =>
          columns(
            [
              ["REPOSITORY", "TAG", "DIGEST", "SIZE", "PLATFORMS"],
              ...images.map(({ repository, tag, digest, size, platforms }) => [
                repository,
                tag,
                digest,
                formatBytes(size),
                platforms.join(","),
              ]),
            ],
            [3],
          ),
        );
      } finally {
        await catalog.destroy();
      }
    });
}
