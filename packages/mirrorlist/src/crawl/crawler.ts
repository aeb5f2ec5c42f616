import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "@nearlayer/shared/log";
import type { Platform } from "@nearlayer/shared/platform";
import type { Network } from "../mirrors/network.ts";
import type { ProbeMeans } from "./probe.ts";
import { crawlRound } from "./round.ts";

export interface Crawler extends AsyncDisposable {
  /** Rounds that have ended since the start. */
  rounds(): number;
  /** Begins a round now, after the one that is under way. Resolves when it has ended, or the crawler. */
  runNow(): Promise<void>;
}

/** Probes every mirror at once, and then again every interval (in milliseconds), until it is disposed of. */
export function startCrawler(
  network: Network,
  published: () => Iterable<Platform>,
  means: Omit<ProbeMeans, "signal">,
  intervalMs: () => number,
  log: Logger,
): Crawler {
  const stop = new AbortController();
  let rounds = 0;
  let wake = new AbortController();
  let waiting: (() => void)[] = [];
  const done = (async () => {
    while (!stop.signal.aborted) {
      wake = new AbortController();
      const waited = waiting;
      waiting = [];
      const before = failuresOf(network);
      await crawlRound(network, published(), { ...means, signal: stop.signal });
      for (const resolve of waited) resolve();
      if (stop.signal.aborted) break;
      rounds += 1;
      logChanges(before, failuresOf(network), log);
      const signal = AbortSignal.any([stop.signal, wake.signal]);
      await sleep(intervalMs(), undefined, { signal, ref: false }).catch(() => undefined);
    }
    for (const resolve of waiting) resolve();
  })();
  return {
    rounds: () => rounds,
    async runNow() {
      if (stop.signal.aborted) return;
      const ended = new Promise<void>((resolve) => waiting.push(resolve));
      wake.abort();
      await ended;
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await done;
    },
  };
}

/** What is wrong, by mirror and platform. */
function failuresOf(network: Network): Map<string, string> {
  const failures = new Map<string, string>();
  for (const { name, probes } of network.mirrors()) {
    for (const { platform, failure } of probes.values()) failures.set(`${name} ${platform}`, failure?.message ?? "");
  }
  return failures;
}

function logChanges(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>, log: Logger): void {
  for (const [key, failure] of after) {
    if ((before.get(key) ?? "") === failure) continue;
    const [mirror, platform] = key.split(" ");
    if (failure === "") log.info({ mirror, platform }, "mirror is well again");
    else log.warn({ mirror, platform, failure }, "mirror fails its probe");
  }
}
