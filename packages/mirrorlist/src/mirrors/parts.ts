import { open } from "node:fs/promises";
import type { Digest } from "@nearlayer/shared/digest";
import type { Platform } from "@nearlayer/shared/platform";
import { pubBlobPath } from "@nearlayer/shared/tree";
import type { Part } from "../pull/verdict.ts";
import { describeRequestError } from "./agent.ts";

/**
 * What comes of a mirror's body before it ends or breaks off: the mirror is there, if not with this blob. A byte more than
 * `limit` is enough to know. Throws when it does not come in time.
 */
export async function readUpTo(body: AsyncIterable<Uint8Array>, limit: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of body) {
      chunks.push(chunk);
      length += chunk.length;
      // Leaving the loop ends the connection.
      if (length > limit) break;
    }
  } catch (error) {
    if (describeRequestError(error).kind === "timeout") throw error;
  }
  return Buffer.concat(chunks);
}

/** Our own bytes of a part; undefined where there is no such file, as on a machine without the tree. */
export async function ownPart(
  root: string,
  { platform, digest, size }: { readonly platform: Platform; readonly digest: Digest; readonly size: number },
  { start, end }: Part,
): Promise<Uint8Array | undefined> {
  try {
    await using file = await open(pubBlobPath(root, platform, digest), "r");
    if ((await file.stat()).size !== size) return undefined;
    const { buffer, bytesRead } = await file.read(Buffer.alloc(end - start + 1), 0, end - start + 1, start);
    return bytesRead === end - start + 1 ? buffer : undefined;
  } catch {
    return undefined;
  }
}
