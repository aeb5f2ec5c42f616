import type { Digest } from "@nearlayer/shared/digest";
import { pubBlobName } from "@nearlayer/shared/tree";
import type { MirrorAgent } from "../mirrors/agent.ts";
import { ownPart, readUpTo } from "../mirrors/parts.ts";
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
    const tail = tailOf(size);
    const { statusCode, headers, body } = await agent.request(`${mirror.url}${pubBlobName(platform, digest)}`, {
      method: "GET",
      timeoutMs,
      allowPrivateAddress: mirror.allowPrivateAddress,
      // As Go's own client asks when nobody says otherwise: a mirror that compresses does it for most clients.
      headers: { range: `bytes=${tail.start}-${tail.end}`, "accept-encoding": "gzip" },
    });
    if (statusCode !== 206) {
      await body.dump({ limit: statusCode === 200 ? 0 : MAX_PAGE_BYTES }).catch(() => undefined);
      return judge({ status: statusCode, headers }, size, undefined);
    }
    const own = ownPart(root, { platform, digest, size }, tail);
    const bytes = await readUpTo(body, TAIL_BYTES);
    return judge({ status: statusCode, headers, bytes }, size, await own);
  };
}
