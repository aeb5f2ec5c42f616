import { open } from "node:fs/promises";
import type { Digest } from "@nearlayer/shared/digest";
import { pubBlobName, pubBlobPath } from "@nearlayer/shared/tree";
import { describeRequestError, type MirrorAgent } from "../mirrors/agent.ts";
import type { Candidate } from "../selection/select.ts";
import { judge, TAIL_BYTES, tailOf, type Verdict } from "./verdict.ts";

/** Looks at a blob on a mirror; throws when the mirror cannot be reached or does not answer in time. */
export type Look = (candidate: Candidate, digest: Digest, size: number) => Promise<Verdict>;

const TIMEOUT_MS = 2000;
/** An error's page is read to its end, to keep the connection; a blob is not. */
const MAX_PAGE_BYTES = 16_384;

/**
 * Asks for the last bytes of the blob as a client would, and compares them with our own where the tree is at hand
 * under `root`. It costs a mirror as much as a HEAD, and shows what a HEAD does not: a disk that cannot be read, a
 * file that ends in zeros after a crash, headers that stand on a GET alone, and whether Range works.
 */
export function createLook(agent: MirrorAgent, root: string, timeoutMs = TIMEOUT_MS): Look {
  return async ({ mirror, platform }, digest, size) => {
    const { start, end } = tailOf(size);
    const { statusCode, headers, body } = await agent.request(`${mirror.url}${pubBlobName(platform, digest)}`, {
      method: "GET",
      timeoutMs,
      allowPrivateAddress: mirror.allowPrivateAddress,
      // As Go's own client asks when nobody says otherwise: a mirror that compresses does it for most clients.
      headers: { range: `bytes=${start}-${end}`, "accept-encoding": "gzip" },
    });
    if (statusCode !== 206) {
      await body.dump({ limit: statusCode === 200 ? 0 : MAX_PAGE_BYTES }).catch(() => undefined);
      return judge({ status: statusCode, headers }, size, undefined);
    }
    const [bytes, own] = await Promise.all([readTail(body), ownTail(pubBlobPath(root, platform, digest), size)]);
    return judge({ status: statusCode, headers, bytes }, size, own);
  };
}

/** What comes of the body before it ends or breaks off: the mirror is there, if not with this blob. */
async function readTail(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of body) {
      chunks.push(chunk);
      length += chunk.length;
      // One byte too many is enough to know; leaving the loop ends the connection.
      if (length > TAIL_BYTES) break;
    }
  } catch (error) {
    if (describeRequestError(error).kind === "timeout") throw error;
  }
  return Buffer.concat(chunks);
}

/** Undefined where there is no such file, as on a machine without the tree. */
async function ownTail(path: string, size: number): Promise<Uint8Array | undefined> {
  const { start, end } = tailOf(size);
  try {
    await using file = await open(path, "r");
    if ((await file.stat()).size !== size) return undefined;
    const { buffer, bytesRead } = await file.read(Buffer.alloc(end - start + 1), 0, end - start + 1, start);
    return buffer.subarray(0, bytesRead);
  } catch {
    return undefined;
  }
}
