import { createHash } from "node:crypto";
import { once } from "node:events";
import type { Writable } from "node:stream";
import type { Config } from "@nearlayer/shared/config/schema";
import { type Digest, fromHex, type Hex } from "@nearlayer/shared/digest";
import { isNearlayerError, NearlayerError } from "@nearlayer/shared/errors";
import type { Reference, Repository } from "@nearlayer/shared/reference";
import type { Source } from "../source/source.ts";
import type { Run } from "./run.ts";
import { requireSource, withSource } from "./source.ts";

/**
 * Writes the bytes of a manifest or a blob of the source to `out`. They are verified on the way: what is written of wrong
 * ones is never the whole, and DIGEST_MISMATCH is thrown. The store is not touched.
 */
export async function fetchObject(config: Config, reference: Reference, out: Writable, run: Run): Promise<void> {
  const { repository, tag, digest } = reference;
  await withSource(requireSource(config), run, async (source) => {
    if (digest === undefined) {
      const manifest = tag && (await source.getManifest(repository, tag));
      if (manifest === undefined) {
        throw new NearlayerError("USAGE", `${repository}: which object?`, { hint: "name a tag or a digest" });
      }
      await write(out, manifest.bytes);
      return;
    }
    // Most digests are blobs'. Nothing of a blob has been written when there is none.
    try {
      await writeBlob(source, repository, digest, out);
    } catch (error) {
      if (!isNearlayerError(error, "NOT_FOUND")) throw error;
      const manifest = await source.getManifest(repository, digest);
      if (manifest === undefined) throw error;
      await write(out, manifest.bytes);
    }
  });
}

/** Each piece is held back until the next has come, and the last one until all is verified. */
async function writeBlob(source: Source, repository: Repository, digest: Digest, out: Writable): Promise<void> {
  const hash = createHash("sha256");
  let written = 0;
  let held: Uint8Array | undefined;
  await source.withRetries(() =>
    source.readBlob(repository, digest, written + (held?.length ?? 0), async ({ offset, pour }) => {
      // A registry without Range begins again: what has been written is passed over.
      let skip = written + (held?.length ?? 0) - offset;
      await pour(async (piece) => {
        const rest = piece.subarray(Math.min(skip, piece.length));
        skip -= piece.length - rest.length;
        if (rest.length === 0) return;
        hash.update(rest);
        const before = held;
        held = Buffer.from(rest);
        if (before === undefined) return;
        written += before.length;
        await write(out, before);
      });
    }),
  );
  const actual = fromHex(hash.digest("hex") as Hex);
  if (actual !== digest) {
    throw new NearlayerError("DIGEST_MISMATCH", `${repository}@${digest}: the registry sent ${actual}`);
  }
  if (held !== undefined) await write(out, held);
}

async function write(out: Writable, bytes: Uint8Array): Promise<void> {
  if (!out.write(bytes)) await once(out, "drain");
}
