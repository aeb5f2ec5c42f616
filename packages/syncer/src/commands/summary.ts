import { formatBytes, formatSeconds } from "@nearlayer/shared/cli";
import { linesOfFailures } from "./failure.ts";
import type { PublishResult } from "./publish.ts";
import type { PublishForecast } from "./publish-plan.ts";
import type { SyncResult } from "./sync.ts";

/** What a sync did, for people. */
export function summarizeSync(result: SyncResult): string {
  const { checked, unchanged, updated, removed, failures, fetched, generations, seconds } = result;
  return [
    `${checked} tags checked: ${updated.length} updated, ${unchanged} unchanged, ${failures.length} failed`,
    `${fetched.blobs} blobs fetched, ${formatBytes(fetched.bytes)}, in ${formatSeconds(seconds)}`,
    ...removed.map((name) => `removed: ${name}, which the source no longer has`),
    ...generations.map(
      ({ platform, number, files, bytes }) =>
        `${platform}: generation ${number}, ${files} blobs, ${formatBytes(bytes)}`,
    ),
    ...(generations.length === 0 ? ["no new generation"] : []),
    ...linesOfFailures(failures),
  ].join("\n");
}

/** What publishing would do, for people. */
export function summarizePublishForecast({ targets }: PublishForecast): string {
  const lines = targets.map((target) =>
    target.ok
      ? `${target.destination}: ${target.files} files, ${formatBytes(target.bytes)}, would be sent, ${target.deleted} removed`
      : `failed: ${target.message}`,
  );
  return [...lines, "nothing was changed"].join("\n");
}

/** What became of each target, for people. */
export function summarizePublish({ targets }: PublishResult): string {
  return targets
    .map((target) => {
      if (!target.ok) return `failed: ${target.message}${target.hint === undefined ? "" : `\n  hint: ${target.hint}`}`;
      const { destination, pass, files, bytes, deleted, foreign, lost } = target;
      if (pass === "nothing") return `${destination}: nothing to do`;
      const others = foreign === 0 ? "" : `; ${foreign} files that are not ours were left alone`;
      const missing = lost === 0 ? "" : `; ${lost} blobs are missing here: syncer verify --repair brings them back`;
      return `${destination}: ${files} files sent, ${formatBytes(bytes)}, ${deleted} removed${others}${missing}`;
    })
    .join("\n");
}
