import type { Mirror } from "../mirrors/mirror.ts";
import type { Scores, Seed } from "./rendezvous.ts";

/** What it takes to draw among mirrors for one request. */
export interface Draw<T> {
  readonly mirrors: readonly Mirror[];
  readonly scores: Scores;
  readonly key: Seed;
  /** What makes a mirror eligible, or undefined when it is not. */
  readonly eligible: (mirror: Mirror) => T | undefined;
}

export interface Drawn<T> {
  readonly mirror: Mirror;
  readonly eligible: T;
  readonly score: number;
}

/**
 * The best `count` of the members (numbers of mirrors) by weighted rendezvous, best first. Whether a member is eligible
 * is asked only where it would be among them: of many, it costs little more than of a few.
 */
export function drawBest<T>(draw: Draw<T>, members: readonly number[], count: number): Drawn<T>[] {
  const best: Drawn<T>[] = [];
  // Who scores less cannot be among them any more.
  let worst = count > 0 ? 0 : Number.POSITIVE_INFINITY;
  for (const number of members) {
    const score = draw.scores.scoreOf(draw.key, number, worst);
    const mirror = draw.mirrors[number];
    if (score === undefined || mirror === undefined) continue;
    const eligible = draw.eligible(mirror);
    if (eligible === undefined) continue;
    const drawn = { mirror, eligible, score };
    best.splice(placeOf(drawn, best), 0, drawn);
    if (best.length > count) best.pop();
    if (best.length === count) worst = best.at(-1)?.score ?? worst;
  }
  return best;
}

/** Mbit/s of the members that are eligible; counted no further than is asked for. */
export function bandwidthOf(draw: Draw<unknown>, members: readonly number[], upTo: number): number {
  let sum = 0;
  for (const number of members) {
    if (sum >= upTo && sum > 0) break;
    const mirror = draw.mirrors[number];
    if (mirror !== undefined && draw.eligible(mirror) !== undefined) sum += mirror.bandwidth;
  }
  return sum;
}

/** Where it belongs among those that are sorted already. */
function placeOf(drawn: Drawn<unknown>, sorted: readonly Drawn<unknown>[]): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isBefore(drawn, sorted[middle])) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Names tell apart what has the same score, so that the order does not hang on how the mirrors are listed. */
function isBefore(a: Drawn<unknown>, b: Drawn<unknown> | undefined): boolean {
  if (b === undefined) return true;
  return a.score === b.score ? a.mirror.name < b.mirror.name : a.score > b.score;
}
