import type { Digest } from "@nearlayer/shared/digest";
import { pubBlobName } from "@nearlayer/shared/tree";
import { createLru } from "../lru.ts";
import { describeRequestError, type MirrorAgent } from "../mirrors/agent.ts";
import type { Candidate } from "../selection/select.ts";

/** What a HEAD of a blob at a mirror has shown. */
export type Verdict = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/** Looks whether a mirror really has a blob, before the first client is sent there for it. */
export interface FirstUse {
  /** The answer of the last minutes, or of a HEAD now. Within the timeout, always; never throws. */
  check(candidate: Candidate, digest: Digest, size: number): Promise<Verdict>;
}

const TIMEOUT_MS = 2000;
/** How long a good answer is good for, a bad one bad, and a mirror that cannot be reached at all left alone. */
const GOOD_MS = 5 * 60_000;
const BAD_MS = 60_000;
const UNREACHABLE_MS = 10_000;
const REMEMBERED = 200_000;

const OK: Verdict = { ok: true };

export function createFirstUse(agent: MirrorAgent, now: () => number, timeoutMs = TIMEOUT_MS): FirstUse {
  const known = createLru<string, { verdict: Verdict; until: number }>(REMEMBERED);
  const underWay = new Map<string, Promise<Verdict>>();
  const unreachable = new Map<string, { verdict: Verdict; until: number }>();
  const fresh = (entry: { verdict: Verdict; until: number } | undefined) =>
    entry !== undefined && entry.until > now() ? entry.verdict : undefined;

  async function ask({ mirror, platform }: Candidate, digest: Digest, size: number): Promise<Verdict> {
    const key = keyOf(mirror.name, digest);
    try {
      const { statusCode, headers, body } = await agent.request(`${mirror.url}${pubBlobName(platform, digest)}`, {
        method: "HEAD",
        timeoutMs,
        allowPrivateAddress: mirror.allowPrivateAddress,
      });
      await body.dump();
      const verdict = judge(statusCode, headers, size);
      known.set(key, { verdict, until: now() + (verdict.ok ? GOOD_MS : BAD_MS) });
      return verdict;
    } catch (error) {
      const verdict = { ok: false, reason: describeRequestError(error).message };
      // The next blob would wait as long for nothing: the whole mirror is left alone for a while.
      unreachable.set(mirror.name, { verdict, until: now() + UNREACHABLE_MS });
      return verdict;
    }
  }

  return {
    async check(candidate, digest, size) {
      const key = keyOf(candidate.mirror.name, digest);
      const remembered = fresh(unreachable.get(candidate.mirror.name)) ?? fresh(known.get(key));
      if (remembered !== undefined) return remembered;
      const current = underWay.get(key) ?? ask(candidate, digest, size).finally(() => underWay.delete(key));
      underWay.set(key, current);
      return current;
    },
  };
}

const keyOf = (mirror: string, digest: Digest) => `${mirror} ${digest}`;

function judge(status: number, headers: Record<string, string | string[] | undefined>, size: number): Verdict {
  if (status !== 200) return { ok: false, reason: `answers ${status} for the blob` };
  const encoding = headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity")
    return { ok: false, reason: `adds Content-Encoding: ${encoding}` };
  if (headers["content-length"] === String(size)) return OK;
  return { ok: false, reason: `has ${headers["content-length"] ?? "an unknown number of"} bytes of ${size}` };
}
