import { setTimeout as sleep } from "node:timers/promises";
import { whenFree } from "@nearlayer/shared/catalog/busy";
import { type EventGroup, settleEvents } from "@nearlayer/shared/catalog/events";
import type { Catalog } from "@nearlayer/shared/catalog/open";
import type { EventsConfig } from "@nearlayer/shared/config/events";
import type { Logger } from "@nearlayer/shared/log";
import type { Failure } from "../commands/failure.ts";
import type { Metrics } from "./metrics.ts";
import { waitAfter } from "./plan/backoff.ts";
import { outcomesOf } from "./plan/batch.ts";
import type { Work } from "./work.ts";

/** Events that were synced together, as they stood at `asOf`. */
export interface SyncedBatch {
  readonly groups: readonly EventGroup[];
  readonly asOf: Date;
}

/** What carries to the targets what was synced, beside the next sync: a slow target must not keep images from being served. */
export interface Publisher {
  /** Takes what was synced; its events are settled once the targets have it. */
  add(batch: SyncedBatch): void;
  /** Is a group, as it stands, synced and on its way to the targets? */
  isUnderWay(group: EventGroup): boolean;
  /** How many groups are. */
  size(): number;
  /** Runs until its signal is aborted; what is on its way then is synced again, for nothing, at the next start. */
  run(): Promise<void>;
}

export interface SettleOptions {
  readonly config: EventsConfig;
  readonly catalog: Catalog;
  readonly metrics: Metrics;
  readonly log: Logger;
}

export function createPublisher(
  options: SettleOptions & { readonly work: Work; readonly signal: AbortSignal },
): Publisher {
  const { config, work, signal } = options;
  let waiting: SyncedBatch[] = [];
  let current: readonly SyncedBatch[] = [];
  let wake = new AbortController();
  let failures = 0;
  let retryAt = 0;

  const settle = async (batches: readonly SyncedBatch[], failure: string | undefined) => {
    for (const batch of batches) {
      const failed = failure === undefined ? [] : batch.groups.map((group) => failureOfPublish(group, failure));
      await settleBatch(batch, failed, options);
    }
  };
  const step = async () => {
    if (waiting.length === 0 && (!work.isBehind() || Date.now() < retryAt)) {
      wake = new AbortController();
      const pause = work.isBehind() ? retryAt - Date.now() : LONG_MS;
      await sleep(pause, undefined, { signal: AbortSignal.any([signal, wake.signal]) }).catch(() => undefined);
      return;
    }
    // What comes while it runs may be too late for it.
    [current, waiting] = [waiting, []];
    const failure = await work.publish();
    await settle(current, failure);
    current = [];
    failures = failure === undefined ? 0 : failures + 1;
    if (failure !== undefined) retryAt = Date.now() + waitAfter(failures, config.retry, Math.random());
  };

  return {
    add(batch) {
      waiting.push(batch);
      wake.abort();
    },
    isUnderWay: ({ repository, tag, throughId }) =>
      [...current, ...waiting].some(({ groups }) =>
        groups.some((one) => one.repository === repository && one.tag === tag && one.throughId >= throughId),
      ),
    size: () => [...current, ...waiting].reduce((sum, { groups }) => sum + groups.length, 0),
    async run() {
      while (!signal.aborted) {
        try {
          await step();
        } catch (err) {
          if (signal.aborted) return;
          options.log.error({ err }, "publishing met a bug, or the catalog is out of reach");
          // They are still in the journal, and are synced and published again.
          current = [];
          await sleep(ERROR_MS, undefined, { signal }).catch(() => undefined);
        }
      }
    },
  };
}

/** Milliseconds: as good as until somebody wakes it, and after what should not happen. */
const LONG_MS = 3_600_000;
const ERROR_MS = 5_000;

const failureOfPublish = ({ repository, tag }: EventGroup, message: string): Failure => ({
  repository,
  ...(tag === undefined ? {} : { tag }),
  code: "PUBLISH_FAILED",
  message,
});

/** Writes down what became of events, and tells of those that are parked. */
export async function settleBatch(
  { groups, asOf }: SyncedBatch,
  failures: readonly Failure[],
  { config, catalog, metrics, log }: SettleOptions,
): Promise<void> {
  if (groups.length === 0) return;
  const now = new Date();
  const outcomes = outcomesOf(groups, failures, config.retry, now, Math.random);
  await whenFree(() => settleEvents(catalog, outcomes, { asOf, now }));
  for (const [{ repository, tag, events, attempts }, outcome] of outcomes) {
    metrics.settled(outcome.state, events);
    if (outcome.state === "parked") {
      log.error({ repository, tag, attempts: attempts + 1, reason: outcome.reason }, "parked: tried too often");
    }
  }
}
