import { setTimeout as sleep } from "node:timers/promises";
import type { Snapshot } from "./snapshot.ts";

/** What tells whether there is something newer. */
export interface NewestSources {
  readonly current: () => Snapshot;
  readonly readRevision: () => Promise<number>;
  readonly isReadable: () => boolean;
  readonly now: () => number;
}

/** Milliseconds: how often the catalog is asked at most, how long it may take to say, how long the reading may take. */
const EVERY_MS = 100;
const ASK_MS = 500;
const READ_MS = 2000;
const LOOK_MS = 10;

/**
 * For a request that asks for what the snapshot does not have: another instance may have seen a change first, and told
 * the client of it. Asks the catalog whether it has changed, once for all who wait, and waits for the snapshot that has
 * the change. Whoever asks for nonsense costs one row ten times a second, whatever their number.
 */
export function createNewest({ current, readRevision, isReadable, now }: NewestSources): () => Promise<Snapshot> {
  let underWay: Promise<Snapshot> | undefined;
  let askedAt = Number.NEGATIVE_INFINITY;

  async function look(): Promise<Snapshot> {
    const asked = readRevision().catch(() => undefined);
    const revision = await Promise.race([asked, sleep(ASK_MS, undefined, { ref: false })]);
    const deadline = now() + READ_MS;
    while (revision !== undefined && current().revision < revision && isReadable() && now() < deadline) {
      await sleep(LOOK_MS, undefined, { ref: false });
    }
    return current();
  }

  return async () => {
    if (underWay !== undefined) return underWay;
    if (!isReadable() || now() - askedAt < EVERY_MS) return current();
    askedAt = now();
    underWay = look().finally(() => {
      underWay = undefined;
    });
    return underWay;
  };
}
