import type { Catalog } from "@nearlayer/shared/catalog/open";
import type { Target } from "@nearlayer/shared/config/target";
import { pubDir } from "@nearlayer/shared/tree";
import { sortExtraneous } from "./names.ts";
import { listExtraneous, type RsyncRun, type RsyncSettings, runRsync, sendAllBlobs, sendState } from "./rsync.ts";

/** What publishing to a target would do. */
export interface TargetForecast {
  /** Files that rsync would send, and their bytes. */
  readonly files: number;
  readonly bytes: number;
  /** Blobs that would be deleted there. */
  readonly deleted: number;
}

const dry = (run: RsyncRun): RsyncRun => ({ ...run, args: ["--dry-run", ...run.args] });

/** Has rsync compare the whole tree with a target, and change nothing. Throws PUBLISH_FAILED. */
export async function forecastTarget(
  catalog: Catalog,
  root: string,
  target: Target,
  settings: RsyncSettings,
): Promise<TargetForecast> {
  const source = pubDir(root);
  let [files, bytes] = [0, 0];
  for (const run of [sendAllBlobs(source, target), ...sendState(source, target)]) {
    const result = await runRsync(dry(run), target, settings);
    files += result.files;
    bytes += result.bytes;
  }
  const extraneous = await runRsync(dry(listExtraneous(source, target)), target, settings);
  const { due } = await sortExtraneous(catalog, extraneous.deleted);
  return { files, bytes, deleted: due.length };
}
