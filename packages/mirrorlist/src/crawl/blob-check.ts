import { createHash } from "node:crypto";
import type { Digest } from "@nearlayer/shared/digest";
import type { Platform } from "@nearlayer/shared/platform";
import { pubBlobName } from "@nearlayer/shared/tree";
import { describeRequestError, type MirrorAgent } from "../mirrors/agent.ts";
import type { Mirror } from "../mirrors/mirror.ts";
import { ownPart, readUpTo } from "../mirrors/parts.ts";
import { type Fault, judge, type Part, type Verdict } from "../pull/verdict.ts";

/** A blob on a mirror. */
export interface BlobThere {
  readonly mirror: Mirror;
  readonly platform: Platform;
  readonly digest: Digest;
  readonly size: number;
}

/** What a check has shown. Without a `fault`, a failure only says that nothing could be seen. */
export interface BlobFinding {
  readonly ok: boolean;
  readonly fault?: Fault;
  /** A clause for people. */
  readonly detail: string;
}

export interface CheckMeans {
  readonly agent: MirrorAgent;
  /** The root of our own tree; its bytes are compared where they are there. */
  readonly root: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

const MAX_PAGE_BYTES = 16_384;
/** The most that is read of a part. */
export const MAX_PART_BYTES = 65_536;
/** A whole blob must come with at least this, in bytes a second, after the patience for a small answer. */
const SLOWEST = 131_072;

/** HEAD: the status and the exact length. */
export async function checkHead(there: BlobThere, means: CheckMeans): Promise<BlobFinding> {
  return finding(async () => {
    const { statusCode, headers, body } = await ask(there, means, "HEAD", {});
    await body.dump({ limit: 0 }).catch(() => undefined);
    if (statusCode !== 200) return refused(statusCode);
    return said(judge({ status: 200, headers }, there.size, undefined), `HEAD: ${there.size} bytes`);
  });
}

/** A part: 206 with the right Content-Range, and our own bytes where the tree is here. */
export async function checkPart(there: BlobThere, part: Part, means: CheckMeans): Promise<BlobFinding> {
  const { start, end } = part;
  return finding(async () => {
    const { statusCode, headers, body } = await ask(there, means, "GET", {
      range: `bytes=${start}-${end}`,
      // As a client would: a mirror that compresses does it for most clients.
      "accept-encoding": "gzip",
    });
    if (statusCode !== 206) {
      await body.dump({ limit: statusCode === 200 ? 0 : MAX_PAGE_BYTES }).catch(() => undefined);
      if (statusCode !== 200 && statusCode !== 416) return refused(statusCode);
      const verdict = judge({ status: statusCode, headers }, there.size, undefined, part);
      return said(verdict, "takes no notice of Range, and has the right length");
    }
    const bytes = await readUpTo(body, end - start + 1);
    const own = await ownPart(means.root, there, part);
    const compared = own === undefined ? "" : ", as here";
    const verdict = judge({ status: statusCode, headers, bytes }, there.size, own, part);
    return said(verdict, `bytes ${start}-${end} of ${there.size}${compared}`);
  });
}

/** The whole blob, hashed as it comes. */
export async function checkHash(there: BlobThere, means: CheckMeans): Promise<BlobFinding> {
  const { digest, size } = there;
  const patient = { ...means, timeoutMs: means.timeoutMs + (size / SLOWEST) * 1000 };
  return finding(async () => {
    const { statusCode, headers, body } = await ask(there, patient, "GET", {});
    if (statusCode !== 200) {
      body.on("error", () => undefined).destroy();
      return refused(statusCode);
    }
    const verdict = judge({ status: 200, headers }, size, undefined);
    if (!verdict.ok) {
      body.on("error", () => undefined).destroy();
      return said(verdict, "");
    }
    const hash = createHash("sha256");
    let length = 0;
    try {
      for await (const chunk of body as AsyncIterable<Uint8Array>) {
        length += chunk.length;
        if (length > size) break;
        hash.update(chunk);
      }
    } catch (error) {
      if (describeRequestError(error).kind === "timeout") throw error;
    }
    if (length !== size) return { ok: false, fault: "broken", detail: `breaks off at ${length} bytes of ${size}` };
    const found = `sha256:${hash.digest("hex")}`;
    return found === digest
      ? { ok: true, detail: `all ${size} bytes hashed` }
      : { ok: false, fault: "bytes", detail: `has other bytes: they hash to ${found}` };
  });
}

function ask(
  { mirror, platform, digest }: BlobThere,
  means: CheckMeans,
  method: "GET" | "HEAD",
  headers: Record<string, string>,
) {
  return means.agent.request(`${mirror.url}${pubBlobName(platform, digest)}`, {
    method,
    timeoutMs: means.timeoutMs,
    allowPrivateAddress: mirror.allowPrivateAddress,
    headers,
    ...(means.signal === undefined ? {} : { signal: means.signal }),
  });
}

async function finding(work: () => Promise<BlobFinding>): Promise<BlobFinding> {
  try {
    return await work();
  } catch (error) {
    return { ok: false, detail: describeRequestError(error).message };
  }
}

const refused = (status: number): BlobFinding => said(judge({ status, headers: {} }, 0, undefined), "");

const said = (verdict: Verdict, detail: string): BlobFinding =>
  verdict.ok
    ? { ok: true, detail }
    : { ok: false, detail: verdict.reason, ...(verdict.fault === undefined ? {} : { fault: verdict.fault }) };
