/**
 * How one client (an address, a program, a repository) has asked for one blob of late. Most clients report a failed
 * mirror in no other way than by asking again, and one address can be a whole cluster: this tells the two apart.
 * Pure; the reasons are in docs/decisions.
 */
export interface Attempts {
  /** Manifests that were given out and name the blob, whose pull has not asked for it yet. */
  readonly announced: number;
  /** Requests that began a pull. */
  readonly pulls: number;
  /** Requests that began a pull soon after another: one client that begins anew, until it is known to be a crowd. */
  readonly reruns: number;
  /** Requests that came within a pull, after the first. */
  readonly retries: number;
  readonly isCrowd: boolean;
  /** More requests have come without a manifest than one client can make: manifests are asked for elsewhere. */
  readonly isUnannounced: boolean;
  /** The base URLs of the mirrors that were named to it, each once, the first choice first. */
  readonly sentTo: readonly string[];
  /** How many of them had failed when it last asked. */
  readonly failed: number;
  /** Until when its requests are counted, and until when what it was given and named is remembered. */
  readonly countedUntil: number;
  readonly keptUntil: number;
}

/** What a request for a blob wants of it. */
export type Wanted = "whole" | "rest" | "piece";

/** After so long without a request, one that begins at the beginning has nothing to do with those before. */
export const WINDOW_MS = 60_000;
/** The last layer of a large image is asked for long after its manifest, and a large layer can break off late. */
const KEPT_MS = 10 * 60_000;
/** No client asks more often for one blob in one pull (Docker: five attempts). */
const MAX_ATTEMPTS = 6;

const NONE: Attempts = {
  ...{ announced: 0, pulls: 0, reruns: 0, retries: 0, isCrowd: false, isUnannounced: false },
  ...{ sentTo: [], failed: 0, countedUntil: 0, keptUntil: 0 },
};

/** What still counts. */
function current(attempts: Attempts | undefined, now: number): Attempts {
  if (attempts === undefined || attempts.keptUntil <= now) return NONE;
  if (attempts.countedUntil > now) return attempts;
  const { announced, sentTo, keptUntil } = attempts;
  return { ...NONE, announced, sentTo, keptUntil };
}

/** The client got a manifest that names the blob. */
export function announce(attempts: Attempts | undefined, now: number): Attempts {
  const known = current(attempts, now);
  return { ...known, announced: known.announced + 1, keptUntil: now + KEPT_MS };
}

/** The client asks for the blob: `failed` says how many of `sentTo`, from the first on, have failed it. */
export function ask(attempts: Attempts | undefined, wanted: Wanted, now: number): Attempts {
  const next = { ...current(attempts, now), countedUntil: now + WINDOW_MS, keptUntil: now + KEPT_MS };
  // Several pieces at once are no failures: they go where the first of them went.
  if (wanted === "piece") return next;
  const asked = next.pulls + next.reruns + next.retries;
  if (wanted === "whole" && (next.announced > 0 || asked === 0)) askFirst(next, asked > 0);
  else askAgain(next, wanted);
  return next;
}

type Changing = { -readonly [key in keyof Attempts]: Attempts[key] };

function askFirst(next: Changing, isSoon: boolean): void {
  // Two pulls under way at once, or more one after the other than a client makes, are several clients.
  next.isCrowd ||= next.announced > 1 || next.reruns >= MAX_ATTEMPTS;
  next.announced = Math.max(0, next.announced - 1);
  const isPull = !isSoon || next.isCrowd;
  if (isPull) next.pulls += 1;
  else next.reruns += 1;
  next.failed = isPull ? 0 : levelOf(next.reruns + next.retries, next.pulls);
}

function askAgain(next: Changing, wanted: "whole" | "rest"): void {
  const begun = next.pulls + next.reruns;
  next.isUnannounced ||= begun > 0 && next.retries >= begun * (MAX_ATTEMPTS - 1);
  // Who wants the rest has had the beginning: that is a retry, whoever else asks.
  if (next.isUnannounced && wanted === "whole") {
    next.pulls += 1;
    next.failed = 0;
    return;
  }
  next.retries += 1;
  next.failed = next.isCrowd ? levelOf(next.retries, begun) : levelOf(next.retries + next.reruns, next.pulls);
}

/** Shared among the pulls, as who of a crowd has tried what cannot be known. */
const levelOf = (failures: number, pulls: number) => Math.ceil(failures / Math.max(1, pulls));

/** The client was named a mirror. */
export function sent(attempts: Attempts | undefined, mirror: string, now: number): Attempts {
  const known = current(attempts, now);
  return known.sentTo.includes(mirror) ? known : { ...known, sentTo: [...known.sentTo, mirror] };
}

/** The client got a manifest that names a mirror for the blob: it asks there, without a word to us. */
export function named(attempts: Attempts | undefined, mirror: string, now: number): Attempts {
  // As nearly all are. The other way would make the same of them, and four objects on the way.
  if (attempts === undefined) {
    return { ...NONE, pulls: 1, sentTo: [mirror], countedUntil: now + WINDOW_MS, keptUntil: now + KEPT_MS };
  }
  return sent(ask(announce(attempts, now), "whole", now), mirror, now);
}

/** Whether the client had a manifest with the blob just before, and is, as far as is known, one and the same. */
export function mayRerun(attempts: Attempts | undefined, now: number): boolean {
  const { pulls, reruns, isCrowd } = current(attempts, now);
  return pulls > 0 && !isCrowd && reruns < MAX_ATTEMPTS;
}

/** Whether it has not yet asked for what it was given. */
export function isAwaited(attempts: Attempts | undefined, now: number): boolean {
  return current(attempts, now).announced > 0;
}

/** Parallel fetches (containerd 2.1: core/remotes/docker/fetcher.go) cut at whole multiples of this, without an end. */
const PIECE_BYTES = 1024 * 1024;

/** Reads a Range header. Who resumes wants everything from some odd byte on; whatever else is a piece. */
export function wantedBy(range: string): Wanted {
  if (range === "") return "whole";
  const [, start, end] = /^bytes=(\d{1,15})-(\d*)$/.exec(range) ?? [];
  if (start === undefined || end !== "") return "piece";
  if (Number(start) === 0) return "whole";
  return Number(start) % PIECE_BYTES === 0 ? "piece" : "rest";
}
