import { deadlineIn } from "../mirrors/deadline.ts";
import type { Mirror } from "../mirrors/mirror.ts";
import type { Probe } from "../mirrors/probe.ts";
import type { BlobThere, CheckMeans } from "./blob-check.ts";
import { describeBlob, eachOf, isLacking, isWrong, type Looked, lookAt } from "./look.ts";
import type { BlobDraw } from "./new-blobs.ts";

/** What a mirror's GENERATION is worth. */
export interface Claim {
  /** As it counts: `generation` is what was seen, `shown` and `doubt` what was not. */
  readonly probe: Probe;
  /** The looks that are worth a note: those that did not go well, and those at what had not gone well before. */
  readonly looks: readonly Looked[];
}

export interface ClaimMeans extends CheckMeans {
  readonly blobs: BlobDraw;
}

/** How many blobs are looked at for a new generation, and when a mirror is looked at for the first time. */
export const SAMPLE = 16;
export const FIRST_SAMPLE = 32;
const AT_ONCE = 2;
/** A mirror has no longer to prove all that it claims. */
const PATIENCE_MS = 20_000;

/**
 * A generation that a mirror newly shows counts once blobs that are new in it have been seen there: all of them when they
 * are few, else a sample. `also` are blobs that it was seen without before. Never throws; while the catalog is out of
 * reach, what counted before counts.
 */
export async function settleClaim(
  mirror: Mirror,
  probe: Probe,
  previous: Probe | undefined,
  means: ClaimMeans,
  { sample = SAMPLE, also = [] }: { readonly sample?: number; readonly also?: readonly BlobThere[] } = {},
): Promise<Claim> {
  const claimed = probe.shown ?? probe.generation;
  if (probe.failure !== undefined || claimed === undefined) return { probe, looks: [] };
  const counted = previous?.generation ?? 0;
  const { shown: _, doubt: __, generation: ___, ...bare } = probe;
  if (claimed <= counted) return { probe: { ...bare, generation: claimed }, looks: [] };
  const before = counted === 0 ? {} : { generation: counted };
  const span = { platform: probe.platform, after: counted, upTo: claimed };
  const drawn = await means.blobs.draw(span, sample).catch(() => undefined);
  if (drawn === undefined) {
    const doubt = `shows generation ${claimed}, and the catalog cannot be asked what is new in it`;
    return { probe: { ...bare, ...before, shown: claimed, doubt }, looks: [] };
  }
  const patience = deadlineIn(PATIENCE_MS, means.signal);
  const { signal, isOver } = patience;
  const since = new Map(drawn.blobs.map((blob) => [blob.digest, blob.since]));
  const there = drawn.blobs.map(({ digest, size }) => ({ mirror, platform: probe.platform, digest, size }));
  const again = also.filter(({ platform, digest }) => platform === probe.platform && !since.has(digest));
  const looks = await eachOf([...again, ...there], AT_ONCE, (one) => lookAt(one, { ...means, signal }), isWrong);
  patience.clear();
  const failed = looks.filter(({ finding }) => !finding.ok);
  const [worst] = [...failed].sort((a, b) => weight(b) - weight(a));
  const noted = looks.filter(({ finding, there: one }) => !finding.ok || again.includes(one)).slice(0, MOST_NOTED);
  if (worst === undefined) return { probe: { ...bare, generation: claimed }, looks: noted };
  // Where all that is new was looked at, it is known how far the mirror has come.
  const lacking = failed.map((look) => since.get(look.there.digest) ?? 0);
  const reached = drawn.isAll && failed.every(isLacking) ? Math.min(...lacking) - 1 : counted;
  const what =
    isLacking(worst) || isWrong(worst) ? describeBlob(worst) : isOver() ? "it takes too long" : describeBlob(worst);
  return {
    probe: {
      ...bare,
      ...(reached > counted ? { generation: reached } : before),
      shown: claimed,
      doubt: `shows generation ${claimed}, and ${what}`,
    },
    looks: noted,
  };
}

const MOST_NOTED = 8;
const weight = (look: Looked) => (isWrong(look) ? 2 : isLacking(look) ? 1 : 0);
