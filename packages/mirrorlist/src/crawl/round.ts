import type { Platform } from "@nearlayer/shared/platform";
import type { Mirror } from "../mirrors/mirror.ts";
import type { Network } from "../mirrors/network.ts";
import type { Probe } from "../mirrors/probe.ts";
import { type ProbeMeans, probe } from "./probe.ts";

/** How many mirrors are asked at a time. */
const MIRRORS_AT_ONCE = 32;

/** The platforms to ask a mirror for: those that have a generation and that it carries. */
export function platformsToProbe(mirror: Mirror, published: Iterable<Platform>): Platform[] {
  if (mirror.disabled) return [];
  return [...published].filter((platform) => mirror.platforms?.has(platform) ?? true);
}

/**
 * One round: every mirror is asked for every platform, and what it shows is noted as soon as it is known, so that
 * one that hangs keeps nobody waiting but itself.
 */
export async function crawlRound(network: Network, published: Iterable<Platform>, means: ProbeMeans): Promise<void> {
  const platforms = [...published];
  const queue = network.mirrors().filter((mirror) => platformsToProbe(mirror, platforms).length > 0);
  const worker = async () => {
    for (let mirror = queue.shift(); mirror !== undefined; mirror = queue.shift()) {
      const probes = await probeMirror(mirror, platformsToProbe(mirror, platforms), means);
      if (means.signal?.aborted) return;
      for (const probe of probes) means.onProbed?.(mirror, probe);
      network.record(mirror.name, probes);
    }
  };
  await Promise.all(Array.from({ length: MIRRORS_AT_ONCE }, worker));
}

function probeMirror(mirror: Mirror, platforms: readonly Platform[], means: ProbeMeans): Promise<Probe[]> {
  return Promise.all(platforms.map((platform) => probe(mirror, platform, means)));
}
