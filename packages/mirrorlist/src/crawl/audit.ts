import type { NewAudit } from "@nearlayer/shared/catalog/audits";
import type { Platform } from "@nearlayer/shared/platform";
import { deadlineIn } from "../mirrors/deadline.ts";
import type { Mirror } from "../mirrors/mirror.ts";
import { type BlobThere, type CheckMeans, checkHash, checkHead, MAX_PART_BYTES } from "./blob-check.ts";
import { isLacking, isWrong, type Looked, lookAt } from "./look.ts";
import type { BlobDraw } from "./new-blobs.ts";
import type { Random } from "./sample.ts";

export interface AuditMeans extends CheckMeans {
  readonly blobs: BlobDraw;
  readonly random: Random;
}

/** An audit of a mirror: what was looked at, one after the other, to be kind to it. */
export interface Audited {
  readonly looks: readonly Looked[];
  readonly audits: readonly NewAudit[];
}

/** How many blobs are drawn; the first is asked for by HEAD, the others for a part. */
const BLOBS = 4;
/** A mirror that answers nothing has an end of it. */
const PATIENCE_MS = 300_000;

/**
 * Looks at a few blobs that a mirror has to have, the newest first among the likely, at those that it was seen without
 * before (`also`), and hashes one as far as `hashBytes` go.
 */
export async function auditBlobs(
  mirror: Mirror,
  { platform, generation }: { readonly platform: Platform; readonly generation: number },
  means: AuditMeans,
  { hashBytes, also }: { readonly hashBytes: number; readonly also: readonly BlobThere[] },
): Promise<Audited> {
  const patience = deadlineIn(PATIENCE_MS, means.signal);
  try {
    return await auditWithin(mirror, platform, generation, { ...means, signal: patience.signal }, hashBytes, also);
  } finally {
    patience.clear();
  }
}

async function auditWithin(
  mirror: Mirror,
  platform: Platform,
  generation: number,
  means: AuditMeans,
  hashBytes: number,
  also: readonly BlobThere[],
): Promise<Audited> {
  const { blobs } = await means.blobs.draw({ platform, after: 0, upTo: generation }, BLOBS);
  // Few come in an order of their own: each must have a turn at each kind of look.
  const order = new Map(blobs.map((blob) => [blob, means.random()]));
  const drawn = blobs
    .toSorted((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0))
    .map(({ digest, size }) => ({ mirror, platform, digest, size }));
  const looks: Looked[] = [];
  const audits: NewAudit[] = [];
  const note = (kind: NewAudit["kind"], look: Looked) => {
    looks.push(look);
    audits.push(auditOf(kind, look));
    return !isWrong(look) && (look.finding.ok || isLacking(look));
  };
  for (const there of also) if (!note("range", await lookAt(there, means))) return { looks, audits };
  for (const [index, there] of drawn.entries()) {
    const isGood =
      index === 0
        ? note("head", { there, finding: await checkHead(there, means) })
        : note("range", await lookAt(there, means, partOf(there.size, means.random)));
    // What does not answer need not be asked for more.
    if (!isGood) return { looks, audits };
  }
  const whole = drawn.find(({ size }) => size <= hashBytes);
  if (whole !== undefined) note("hash", { there: whole, finding: await checkHash(whole, means) });
  return { looks, audits };
}

export const auditOf = (kind: NewAudit["kind"], { there, finding }: Looked): NewAudit => ({
  mirror: there.mirror.name,
  platform: there.platform,
  kind,
  digest: there.digest,
  ok: Number(finding.ok),
  detail: finding.detail,
});

/** Up to 64 KiB anywhere in the blob. */
function partOf(size: number, random: Random) {
  const length = Math.min(size, MAX_PART_BYTES);
  const start = Math.floor(random() * (size - length + 1));
  return { start, end: Math.max(start, start + length - 1) };
}
