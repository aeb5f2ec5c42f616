import { setTimeout as sleep } from "node:timers/promises";
import PQueue from "p-queue";
import { MAX_PAUSE_MS } from "./retry-after.ts";

/** The first pause that a host gets which asks for one without saying how long, in milliseconds; each further doubles. */
const FIRST_PAUSE_MS = 1000;

/** How fast a registry is asked: so many requests at once, and none to a host that wants to be left alone. */
export interface Pace {
  /** How many may be under way now. */
  readonly concurrency: number;
  /** Runs `work` in one of the slots. */
  run<T>(work: () => Promise<T>): Promise<T>;
  /** Waits until the host may be asked. */
  ready(host: string): Promise<void>;
  /** The host has too much to do: it is left alone for that long (milliseconds), and asked half as much after. */
  slowDown(host: string, pause: number | undefined): void;
  /** The host answered: the pace picks up again, slowly. */
  speedUp(host: string): void;
}

/** `signal` gives up everything that waits. `now` is in milliseconds, `random` in [0, 1). */
export function createPace(
  concurrency: number,
  signal: AbortSignal,
  now: () => number = Date.now,
  random: () => number = Math.random,
): Pace {
  const queue = new PQueue({ concurrency });
  const pausedUntil = new Map<string, number>();
  /** How many pauses in a row a host needed, without an answer between them. */
  const strikes = new Map<string, number>();
  let answers = 0;

  return {
    get concurrency() {
      return queue.concurrency;
    },
    run: (work) => queue.add(work, { signal }),
    async ready(host) {
      for (;;) {
        const left = (pausedUntil.get(host) ?? 0) - now();
        if (left <= 0) return;
        await sleep(left, undefined, { signal });
      }
    },
    slowDown(host, pause) {
      const until = pausedUntil.get(host) ?? 0;
      // Requests that were under way together are told the same thing: that counts once.
      if (until <= now()) {
        strikes.set(host, (strikes.get(host) ?? 0) + 1);
        queue.concurrency = Math.max(1, Math.floor(queue.concurrency / 2));
      }
      const backoff = FIRST_PAUSE_MS * 2 ** ((strikes.get(host) ?? 1) - 1) * (1 + random());
      pausedUntil.set(host, Math.max(until, now() + Math.min(pause ?? backoff, MAX_PAUSE_MS)));
    },
    speedUp(host) {
      strikes.delete(host);
      if (queue.concurrency >= concurrency) return;
      answers += 1;
      // One more after as many answers as are under way: additive increase, as TCP does.
      if (answers < queue.concurrency) return;
      answers = 0;
      queue.concurrency += 1;
    },
  };
}
