import { z } from "zod";
import { messageOf } from "../errors.ts";
import { parseVerifier } from "../note.ts";
import { duration } from "./duration.ts";

const verifier = z.string().transform((text, context) => {
  try {
    return parseVerifier(text);
  } catch (error) {
    context.addIssue({ code: "custom", message: messageOf(error) });
    return z.NEVER;
  }
});

/** How mirrors are watched. The mirror list's docs/crawling.md says what each does. */
export const crawler = z.strictObject({
  /** How often each mirror is asked how fresh it is. */
  interval: duration.refine((ms) => ms >= 100, { error: "at least 100ms" }).default(60_000),
  /** The lines that `syncer key generate` prints; when there is one, a GENERATION counts only if signed by one. */
  verifiers: z.array(verifier).default([]),
  /** How long a mirror may be behind before it is called stale. */
  staleAfter: duration.default(86_400_000),
  /** How often a few blobs of each mirror are looked at. */
  auditEvery: duration.default(600_000),
  /** What whole blobs are read for their hash, from each mirror in a day, in bytes; 0 for none. */
  hashBytesPerDay: z.int().min(0).default(268_435_456),
  /** How long a mirror with wrong bytes stays out at the least, the first time; each time again doubles it. */
  quarantine: duration.default(3_600_000),
  /** How long the figures for plots are kept: probes, redirects, propagation and changes of state. */
  history: duration.default(90 * 86_400_000),
  /** How many of the last audits of each mirror are kept. */
  audits: z.int().min(10).max(10_000).default(50),
});

export type CrawlerConfig = z.output<typeof crawler>;
