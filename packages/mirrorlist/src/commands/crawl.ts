import type { Config } from "@nearlayer/shared/config/schema";
import { describeMirror, type MirrorDescription } from "../mirrors/describe.ts";
import { probeOnce } from "./probed.ts";
import { formatTable } from "./table.ts";

export interface CrawlResult {
  readonly mirrors: readonly MirrorDescription[];
}

/** One round of probes of every mirror that is declared. */
export async function crawl(config: Config): Promise<CrawlResult> {
  const { snapshot, network } = await probeOnce(config);
  return { mirrors: network.mirrors().map((mirror) => describeMirror(mirror, snapshot.generations)) };
}

export function summarizeCrawl({ mirrors }: CrawlResult): string {
  if (mirrors.length === 0) return "no mirrors are declared";
  const rows = mirrors.flatMap(({ name, country, disabled, platforms }) =>
    platforms.length === 0 || disabled
      ? [[name, country, "-", disabled ? "disabled" : "nothing published yet", "-", ""]]
      : platforms.map(({ platform, state, generation, failure }) => [
          name,
          country,
          platform,
          state,
          generation ?? "-",
          failure ?? "",
        ]),
  );
  return formatTable(["MIRROR", "COUNTRY", "PLATFORM", "STATE", "GENERATION", "WHY"], rows);
}

/** Did a mirror that should answer not do so? */
export function hasFailures({ mirrors }: CrawlResult): boolean {
  return mirrors.some(({ platforms }) => platforms.some(({ state }) => state === "failing"));
}
