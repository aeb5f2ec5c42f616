import { messageOf } from "@nearlayer/shared/errors";
import { type Generation, MAX_GENERATION_BYTES, parseGeneration } from "@nearlayer/shared/generation";
import { isSignedBy, type Verifier } from "@nearlayer/shared/note";
import type { Platform } from "@nearlayer/shared/platform";
import { generationName } from "@nearlayer/shared/tree";
import type { Dispatcher } from "undici";
import { describeRequestError, type MirrorAgent } from "../mirrors/agent.ts";
import type { Mirror } from "../mirrors/mirror.ts";
import type { Probe, ProbeFailureKind } from "../mirrors/probe.ts";

/** How long a mirror may take to send a file of 1 KB. */
export const PROBE_TIMEOUT_MS = 5000;

/** What a probe needs of the world. */
export interface ProbeMeans {
  readonly agent: MirrorAgent;
  /** Was this very generation made here? */
  readonly isKnown: (generation: Generation) => Promise<boolean>;
  /** The keys that sign generations; none where nobody signs. */
  readonly verifiers?: () => readonly Verifier[];
  readonly now: () => number;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** Told of each probe that has ended. */
  readonly onProbed?: (mirror: Mirror, probe: Probe) => void;
}

/** Asks a mirror how fresh it is in a platform: one conditional GET of its GENERATION. Never throws. */
export async function probe(mirror: Mirror, platform: Platform, means: ProbeMeans): Promise<Probe> {
  const previous = mirror.probes.get(platform);
  const failed = (kind: ProbeFailureKind, message: string): Probe => ({
    platform,
    at: means.now(),
    // What it showed before stays for people to see; the failure is what counts.
    ...(previous?.generation === undefined ? {} : { generation: previous.generation }),
    ...(previous?.seenAt === undefined ? {} : { seenAt: previous.seenAt }),
    failure: { kind, message },
  });
  try {
    const response = await means.agent.request(`${mirror.url}${generationName(platform)}`, {
      method: "GET",
      timeoutMs: means.timeoutMs,
      allowPrivateAddress: mirror.allowPrivateAddress,
      headers: conditionOf(previous),
      ...(means.signal === undefined ? {} : { signal: means.signal }),
    });
    return await readAnswer(response, platform, previous, means, failed);
  } catch (error) {
    const { kind, message } = describeRequestError(error);
    return failed(kind, message);
  }
}

/** Only a good answer is worth a condition: after a failure, the whole is asked for. */
function conditionOf(previous: Probe | undefined): Record<string, string> {
  if (previous === undefined || previous.failure !== undefined) return {};
  if (previous.etag !== undefined) return { "if-none-match": previous.etag };
  return previous.lastModified === undefined ? {} : { "if-modified-since": previous.lastModified };
}

async function readAnswer(
  { statusCode, headers, body }: Dispatcher.ResponseData,
  platform: Platform,
  previous: Probe | undefined,
  means: ProbeMeans,
  failed: (kind: ProbeFailureKind, message: string) => Probe,
): Promise<Probe> {
  // A 304 means something only as the answer to a condition.
  if (statusCode === 304 && previous !== undefined && Object.keys(conditionOf(previous)).length > 0) {
    await body.dump({ limit: MAX_GENERATION_BYTES });
    return { ...previous, at: means.now(), seenAt: means.now() };
  }
  if (statusCode !== 200) {
    // Its body is of no interest, and may be endless: the connection is not worth keeping.
    body.on("error", () => undefined).destroy();
    return failed(statusCode === 404 ? "absent" : "status", `answers ${statusCode} for its GENERATION`);
  }
  const text = await readLimited(body, MAX_GENERATION_BYTES);
  if (text === undefined) return failed("invalid", `GENERATION is larger than ${MAX_GENERATION_BYTES} bytes`);
  let generation: Generation;
  try {
    generation = parseGeneration(text);
  } catch (error) {
    return failed("invalid", messageOf(error));
  }
  if (generation.platform !== platform) return failed("invalid", `GENERATION is of ${generation.platform}`);
  const verifiers = means.verifiers?.() ?? [];
  if (verifiers.length > 0 && !verifiers.some((verifier) => isSignedBy(text, verifier))) {
    return failed("unsigned", `GENERATION is not signed by ${verifiers.map(({ name }) => name).join(" or ")}`);
  }
  const isKnown = await means.isKnown(generation).catch(() => undefined);
  if (isKnown === undefined) return unverified(generation, previous, means.now(), failed);
  if (!isKnown) return failed("foreign", `shows a generation ${generation.number} that was not made here`);
  const { etag, "last-modified": lastModified } = headers;
  return {
    platform,
    at: means.now(),
    seenAt: means.now(),
    generation: generation.number,
    ...(typeof etag === "string" && etag.length < 200 ? { etag } : {}),
    ...(typeof lastModified === "string" && lastModified.length < 100 ? { lastModified } : {}),
  };
}

/** While the catalog is out of reach, a mirror counts for what it showed before: it does not lose blobs by our outage. */
function unverified(
  { number }: Generation,
  previous: Probe | undefined,
  now: number,
  failed: (kind: ProbeFailureKind, message: string) => Probe,
): Probe {
  if (previous?.generation === undefined || previous.failure !== undefined || number < previous.generation) {
    return failed("unverified", `shows a generation ${number}, and the catalog cannot be asked about it`);
  }
  const { etag, lastModified, ...rest } = previous;
  return { ...rest, at: now, seenAt: now };
}

async function readLimited(body: Dispatcher.ResponseData["body"], limit: number): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    // Leaving the loop destroys the body.
    if (size > limit) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
