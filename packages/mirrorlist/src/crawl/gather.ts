import type { Network } from "../mirrors/network.ts";
import type { Probe } from "../mirrors/probe.ts";

/** What is learned of a turn goes into the memory with what others learn at the same time, in milliseconds. */
const GATHER_MS = 20;

/** Brings what turns have seen into the network's memory in whole lots: each is a new list of all mirrors. */
export interface Gather {
  add(mirror: string, probes: readonly Probe[]): void;
  /** Does it at once. */
  flush(): void;
}

export function createGather(network: Network): Gather {
  let gathered = new Map<string, Probe[]>();
  const flush = () => {
    const all = gathered;
    gathered = new Map();
    if (all.size > 0) network.recordAll(all);
  };
  return {
    flush,
    add(mirror, probes) {
      if (probes.length === 0) return;
      if (gathered.size === 0) setTimeout(flush, GATHER_MS).unref();
      gathered.set(mirror, [...(gathered.get(mirror) ?? []), ...probes]);
    },
  };
}
