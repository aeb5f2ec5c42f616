import type { Config } from "@nearlayer/shared/config/schema";
import type { Digest } from "@nearlayer/shared/digest";
import { storeBlobPath } from "@nearlayer/shared/tree";
import { pourFrom } from "../pour.ts";
import type { Wanted } from "../store/blob-file.ts";
import { ingest } from "../store/ingest.ts";
import type { Run } from "./run.ts";

/** What came into the store. */
export interface IngestResult {
  readonly digest: Digest;
  readonly path: string;
  /** Bytes that were read; 0 when the store had it. */
  readonly bytes: number;
}

/** Brings a blob into the store from a stream, whose bytes must be the ones that are expected. */
export async function ingestStream(
  { root }: Config,
  wanted: Wanted,
  body: AsyncIterable<Uint8Array>,
  { signal, progress }: Run,
): Promise<IngestResult> {
  progress.expect(1, wanted.size ?? 0);
  const transfer = progress.begin(wanted.ref, wanted.size);
  try {
    // A stream begins at its beginning, whatever is there.
    const bytes = await ingest(root, wanted, (_, write) => write({ offset: 0, pour: pourFrom(body) }), {
      signal,
      onOffset: transfer.at,
    });
    return { digest: wanted.digest, path: storeBlobPath(root, wanted.digest), bytes };
  } finally {
    transfer.end();
  }
}
