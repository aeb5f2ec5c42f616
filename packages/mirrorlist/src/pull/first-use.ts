import type { Digest } from "@nearlayer/shared/digest";
import type { Platform } from "@nearlayer/shared/platform";
import { createLru } from "../lru.ts";
import { describeRequestError } from "../mirrors/agent.ts";
import type { Candidate } from "../selection/select.ts";
import type { Look } from "./look.ts";
import type { Verdict } from "./verdict.ts";

/** Looks whether a mirror really has a blob before the first client is sent there for it, and remembers. */
export interface FirstUse {
  /**
   * What is known already, without waiting; undefined when nothing is, or not any more. What begins to be old is
   * looked at again beside the traffic.
   */
  remembered(candidate: Candidate, digest: Digest, size: number): Verdict | undefined;
  /** What is known, or what a look shows now. Within the time limit of a look, always; never throws. */
  check(candidate: Candidate, digest: Digest, size: number): Promise<Verdict>;
  /** How often a look has shown that a blob, or a whole mirror, which was well is not any more. */
  setbacks(): number;
  /** A client was failed there: what is known is looked at again, while nobody waits. */
  doubt(candidate: Candidate, digest: Digest, size: number): void;
}

/** How long a blob that was seen to be well is taken for that, and one that was not for not. */
const GOOD_MS = 5 * 60_000;
const BAD_MS = 60_000;
/** How long a mirror that cannot be reached is left alone, and until when others go first while it is tried again. */
const UNREACHABLE_MS = 10_000;
const SUSPECT_MS = 60_000;
/** A mirror in use shows at least this often that it still answers. */
const ALIVE_MS = 15_000;
/** What was seen so short a time ago is not looked at again on the word of a client. */
const CERTAIN_MS = 2000;
const REMEMBERED = 200_000;

/** When a mirror last answered, when it last did not, and while that is how it stands, why not. */
interface Contact {
  readonly answeredAt: number;
  readonly lostAt: number;
  readonly lost?: string;
}

/** What was seen of a blob under a platform of a mirror, which is known by its URL: one that has moved is another one. */
interface Seen {
  readonly platform: Platform;
  readonly verdict: Verdict;
  readonly at: number;
}

const NO_CONTACT: Contact = { answeredAt: 0, lostAt: 0 };

export function createFirstUse(look: Look, now: () => number): FirstUse {
  const known = createLru<Digest, Map<string, Seen>>(REMEMBERED, (mirrors) => mirrors.size);
  const contacts = new Map<string, Contact>();
  const underWay = new Map<string, Promise<Verdict>>();
  const attended = new Set<string>();
  let setbacks = 0;
  const contactOf = (url: string) => contacts.get(url) ?? NO_CONTACT;

  const seenOf = ({ mirror, platform }: Candidate, digest: Digest): Seen | undefined => {
    const seen = known.get(digest)?.get(mirror.url);
    return seen?.platform === platform ? seen : undefined;
  };

  function remember(digest: Digest, url: string, seen: Seen): void {
    const ofDigest = known.get(digest) ?? new Map<string, Seen>();
    if (ofDigest.get(url)?.verdict.ok && !seen.verdict.ok) setbacks += 1;
    // Taken out and put back, because it weighs more afterwards.
    known.delete(digest);
    known.set(digest, ofDigest.set(url, seen));
  }

  function lookNow(candidate: Candidate, digest: Digest, size: number): Promise<Verdict> {
    const { url } = candidate.mirror;
    const key = keyOf(candidate, digest);
    const current = underWay.get(key);
    if (current !== undefined) return current;
    const looking = look(candidate, digest, size)
      .then(
        (verdict) => {
          contacts.set(url, { answeredAt: now(), lostAt: contactOf(url).lostAt });
          remember(digest, url, { platform: candidate.platform, verdict, at: now() });
          return verdict;
        },
        (error: unknown): Verdict => {
          // The next blob would wait as long for nothing: it is the whole mirror that is left alone.
          const reason = describeRequestError(error).message;
          if (contactOf(url).lost === undefined) setbacks += 1;
          contacts.set(url, { answeredAt: contactOf(url).answeredAt, lostAt: now(), lost: reason });
          return { ok: false, reason };
        },
      )
      .finally(() => underWay.delete(key));
    underWay.set(key, looking);
    return looking;
  }

  /** While nobody waits, and once at a time for each mirror. */
  function lookBeside(candidate: Candidate, digest: Digest, size: number): void {
    const { url } = candidate.mirror;
    if (attended.has(url)) return;
    attended.add(url);
    void lookNow(candidate, digest, size).finally(() => attended.delete(url));
  }

  function remembered(candidate: Candidate, digest: Digest, size: number): Verdict | undefined {
    const { answeredAt, lostAt, lost } = contactOf(candidate.mirror.url);
    const at = now();
    const lostFor = at - lostAt;
    if (lost !== undefined && lostFor < SUSPECT_MS) {
      if (lostFor >= UNREACHABLE_MS) lookBeside(candidate, digest, size);
      return { ok: false, reason: lost };
    }
    const entry = seenOf(candidate, digest);
    // What was seen before the mirror went away says nothing about what came back.
    if (entry === undefined || entry.at < lostAt) return undefined;
    if (at - entry.at >= (entry.verdict.ok ? GOOD_MS : BAD_MS)) return undefined;
    if (entry.verdict.ok && at - answeredAt >= ALIVE_MS) lookBeside(candidate, digest, size);
    return entry.verdict;
  }

  return {
    remembered,
    setbacks: () => setbacks,
    async check(candidate, digest, size) {
      return remembered(candidate, digest, size) ?? lookNow(candidate, digest, size);
    },
    doubt(candidate, digest, size) {
      const entry = seenOf(candidate, digest);
      if (entry?.verdict.ok && now() - entry.at >= CERTAIN_MS) lookBeside(candidate, digest, size);
    },
  };
}

const keyOf = ({ mirror, platform }: Candidate, digest: Digest) => `${mirror.url}${platform} ${digest}`;
