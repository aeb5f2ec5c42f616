import type { Standing } from "./standing.ts";

/**
 * What keeps a lone mirror from capturing a continent. A client without a mirror in its country belongs to the nearest
 * band with mirrors in it, and half the world may do so with it. A band is enough for all of them when it has the
 * bandwidth of three average mirrors, or, in a small network, a quarter of everything; one with a third of that keeps
 * a third of them, and the others overflow into the next band.
 */

/** Mbit/s that a band needs to keep all the clients that are nearest to it. */
export function enoughFor({ bandwidth, count }: Pick<Standing, "bandwidth" | "count">): number {
  return count === 0 ? 0 : Math.min((3 * bandwidth) / count, bandwidth / 4);
}

/**
 * Which of the bands a client begins with. `bandwidths` are those of the bands, nearest first, each asked for how much
 * it has once it is known how much would do; `draw`, between 0 and 1, stands for the client. Of the clients, each band
 * keeps its bandwidth's part of `enough`, as long as there are some left. When all together are not enough, they share.
 */
export function firstBand(bandwidths: readonly ((upTo: number) => number)[], enough: number, draw: number): number {
  const target = draw * enough;
  const reached: number[] = [];
  let sum = 0;
  for (const [band, bandwidth] of bandwidths.entries()) {
    sum += bandwidth(target - sum);
    if (sum >= target && sum > 0) return band;
    reached.push(sum);
  }
  return Math.max(
    0,
    reached.findIndex((upTo) => upTo > draw * sum),
  );
}
