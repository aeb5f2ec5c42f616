import { setTimeout as sleep } from "node:timers/promises";
import type { AppliedTransition } from "@nearlayer/shared/catalog/mirror-states";
import type { Config } from "@nearlayer/shared/config/schema";
import { describeMirror, type MirrorDescription } from "../mirrors/describe.ts";
import { keepMemorySmall } from "../server/collector.ts";
import { openNetwork } from "./probed.ts";
import { formatTable } from "./table.ts";

export interface CrawlResult {
  readonly mirrors: readonly MirrorDescription[];
}

/** One turn for every mirror, and what is known of them afterwards. */
export async function crawl(config: Config): Promise<CrawlResult> {
  keepMemorySmall();
  await using opened = await openNetwork(config);
  await opened.crawler.runNow();
  return { mirrors: opened.network.mirrors().map((mirror) => describeMirror(mirror, opened.newest())) };
}

const REFRESH_MS = 1000;

/** Crawls without answering pulls, beside the servers on the same catalog, until the signal. */
export async function crawlOn(
  config: Config,
  signal: AbortSignal,
  onChange: (change: AppliedTransition) => void,
): Promise<void> {
  keepMemorySmall();
  await using opened = await openNetwork(config, onChange);
  opened.crawler.start();
  while (!signal.aborted) {
    // While the catalog is out of reach, what was published last is what is asked for.
    await opened.refresh().catch(() => undefined);
    await sleep(REFRESH_MS, undefined, { signal }).catch(() => undefined);
  }
}

export function summarizeChange({ name, was, to, reason }: AppliedTransition): string {
  return `${new Date().toISOString().slice(0, 19)}Z  ${name}: ${was} → ${to}, ${reason}`;
}

export function summarizeCrawl({ mirrors }: CrawlResult): string {
  if (mirrors.length === 0) return "no mirrors are declared";
  const rows = mirrors.flatMap(({ name, country, state: status, reason = "", platforms }) =>
    platforms.length === 0 || status === "disabled" || status === "pending"
      ? [[name, country, status, "-", platforms.length === 0 ? "nothing published yet" : "-", "-", reason]]
      : platforms.map(({ platform, state, generation, failure, doubt }, index) => [
          ...(index === 0 ? [name, country, status] : ["", "", ""]),
          platform,
          state,
          generation ?? "-",
          failure ?? doubt ?? (index === 0 && status !== "active" ? reason : ""),
        ]),
  );
  const header = ["MIRROR", "COUNTRY", "STATE", "PLATFORM", "IS", "GENERATION", "WHY"];
  return formatTable(header, rows);
}

/** Did a mirror that should answer not do so, or show what is not so? */
export function hasFailures({ mirrors }: CrawlResult): boolean {
  return mirrors.some(
    ({ state: status, platforms }) =>
      status === "quarantined" ||
      status === "unreachable" ||
      platforms.some(({ state, doubt }) => state === "failing" || doubt !== undefined),
  );
}
