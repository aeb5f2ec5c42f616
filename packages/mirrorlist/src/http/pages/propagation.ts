import type { Propagated } from "@nearlayer/shared/catalog/history";

/** A time in seconds that half of the generations took at most; `isOpen`: they take longer, and how long is not known yet. */
export interface Typical {
  readonly seconds: number;
  readonly isOpen: boolean;
}

/** How long it takes, as a rule, until half, nine tenths and all of the mirrors have a new generation. */
export interface Propagation {
  readonly generations: number;
  readonly half?: Typical;
  readonly ninety?: Typical;
  readonly all?: Typical;
}

/**
 * The medians over some generations. One that has not come so far yet takes at least as long as it has been on its way:
 * without it, a network with a dead mirror would look as fast as one without.
 */
export function propagationOf(travels: readonly Propagated[], now: number): Propagation {
  const counted = travels.filter(({ mirrors }) => mirrors > 0);
  const median = (key: "halfAt" | "ninetyAt" | "allAt"): Typical | undefined => {
    const times = counted
      .map(({ madeAt, [key]: at }) => ({
        seconds: Math.max(0, ((at === null ? now : Date.parse(at)) - Date.parse(madeAt)) / 1000),
        isOpen: at === null,
      }))
      .filter(({ seconds }) => Number.isFinite(seconds))
      .sort((a, b) => Number(a.isOpen) - Number(b.isOpen) || a.seconds - b.seconds);
    return times[Math.floor((times.length - 1) / 2)];
  };
  const [half, ninety, all] = [median("halfAt"), median("ninetyAt"), median("allAt")];
  return { generations: counted.length, ...(half && { half }), ...(ninety && { ninety }), ...(all && { all }) };
}
