import { PATIENCE_MS, within } from "./patience.ts";

/** What was read last, and whether that is still how things are. */
export interface Remembered<T> {
  /** Undefined until it could be read once. */
  readonly value: T | undefined;
  /** The last attempt to read it has failed, or takes too long. */
  readonly isMissing: boolean;
}

export interface RememberOptions {
  /** How long, in ms, what was read is good for. */
  readonly forMs: number;
  readonly now: () => number;
  /** How long, in ms, whoever asks waits for a read before the last value has to do. */
  readonly patienceMs?: number;
}

/** How long, in ms, it is before a read that failed is tried again. */
const RETRY_MS = 5000;

/**
 * Reads something when it is asked for, once for all who ask, and not again for a while. Never throws: where it cannot
 * be read, what was read before goes on.
 */
export function remember<T>(
  read: () => Promise<T>,
  { forMs, now, patienceMs = PATIENCE_MS }: RememberOptions,
): () => Promise<Remembered<T>> {
  let known: Remembered<T> = { value: undefined, isMissing: true };
  let readAt = Number.NEGATIVE_INFINITY;
  let underWay: Promise<Remembered<T>> | undefined;

  const start = () =>
    read()
      .then(
        (value) => ({ value, isMissing: false }),
        () => ({ value: known.value, isMissing: true }),
      )
      .then((outcome) => {
        [known, readAt, underWay] = [outcome, now(), undefined];
        return outcome;
      });

  return async () => {
    const isGood = now() - readAt < (known.isMissing ? Math.min(forMs, RETRY_MS) : forMs);
    if (underWay === undefined && isGood) return known;
    underWay ??= start();
    return (await within(patienceMs, underWay)) ?? { value: known.value, isMissing: true };
  };
}
