import type { Verdict } from "./verdict.ts";

/** How long a client waits for looks at mirrors. Milliseconds. */
export interface Patience {
  /** When one has not answered by then, the next is looked at as well. */
  readonly step: number;
  /** All looks together. */
  readonly total: number;
}

/**
 * The first candidate that is good, in their order: one that is slow is waited for while there is time, because the
 * nearest mirror is worth it, and the next ones are looked at meanwhile. When the time is up, the best that is known
 * to be good by then, or undefined.
 */
export async function firstGood<C>(
  candidates: readonly C[],
  check: (candidate: C) => Promise<Verdict>,
  { step, total }: Patience,
): Promise<C | undefined> {
  const verdicts: (Verdict | undefined)[] = [];
  const { promise, resolve } = Promise.withResolvers<C | undefined>();
  let started = 0;
  const settle = () => {
    const firstOpen = candidates.findIndex((_, index) => verdicts[index]?.ok !== false);
    if (firstOpen === -1) resolve(undefined);
    else if (verdicts[firstOpen] !== undefined) resolve(candidates[firstOpen]);
  };
  const startNext = () => {
    const index = started;
    const candidate = candidates[index];
    if (candidate === undefined) return;
    started += 1;
    void check(candidate).then((verdict) => {
      verdicts[index] = verdict;
      if (!verdict.ok && started === index + 1) startNext();
      settle();
    });
  };
  const stepping = setInterval(startNext, step);
  const deadline = setTimeout(() => resolve(candidates.find((_, index) => verdicts[index]?.ok)), total);
  startNext();
  settle();
  try {
    return await promise;
  } finally {
    clearInterval(stepping);
    clearTimeout(deadline);
  }
}
