import { formatBytes } from "@nearlayer/shared/cli";
import type { PublishResult } from "./publish.ts";
import type { SyncResult } from "./sync.ts";

/** What a sync did, for people. */
export function summarizeSync(result: SyncResult): string {
  const { checked, unchanged, updated, failures, fetched, generations } = result;
  return [
    `${checked} tags checked: ${updated.length} updated, ${unchanged} unchanged, ${failures.length} failed`,
    `${fetched.blobs} blobs fetched, ${formatBytes(fetched.bytes)}`,
    ...generations.map(
      ({ platform, number, files, bytes }) =>
        `${platform}: generation ${number}, ${files} blobs, ${formatBytes(bytes)}`,
    ),
    ...(generations.length === 0 ? ["no new generation"] : []),
    ...failures.map(
      ({ repository, tag, message }) => `failed: ${repository}${tag === undefined ? "" : `:${tag}`}: ${message}`,
    ),
  ].join("\n");
}

/** What became of each target, for people. */
export function summarizePublish({ targets }: PublishResult): string {
  return targets
    .map((target) =>
      target.ok
        ? `${target.destination}: ${target.files} files sent, ${formatBytes(target.bytes)}, ${target.deleted} removed`
        : `failed: ${target.message}`,
    )
    .join("\n");
}
