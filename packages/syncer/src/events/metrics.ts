import type { EventCounts } from "@nearlayer/shared/catalog/events";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

/** What became of a message on its way into the journal. */
export type Reception = "journalled" | "duplicate" | "parked" | "ignored";

/** What is counted for Prometheus; docs/events.md has the table. No label takes a value from a message. */
export interface Metrics {
  readonly registry: Registry;
  received(source: string, outcome: Reception, count?: number): void;
  synced(result: "ok" | "failed", repositories: number, seconds: number): void;
  published(result: "ok" | "failed"): void;
  settled(state: "done" | "waiting" | "parked", count: number): void;
  noticed(result: "ok" | "failed" | "given up"): void;
  audited(result: "ok" | "failed"): void;
  sourceIs(source: string, isUp: boolean): void;
  /** Whether each source is there. */
  sources(): Readonly<Record<string, boolean>>;
  /** Takes what waits from the journal, whenever somebody asks. */
  observe(counts: () => Promise<EventCounts>, now: () => number): void;
}

/** Seconds: one small tag, an image, a large repository. */
const BUCKETS = [0.05, 0.2, 0.5, 1, 2, 5, 15, 60, 300, 1800];

export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Counter({ name: `nearlayer_${name}`, help, labelNames, registers: [registry] });
  const received = counter("events_received_total", "Messages by what became of them.", ["source", "outcome"]);
  const settled = counter("events_settled_total", "Events by the state that a sync brought them to.", ["state"]);
  const syncs = counter("syncs_total", "Syncs that events led to, by how they ended.", ["result"]);
  const repositories = counter("synced_repositories_total", "Repositories in these syncs, each time counted.");
  const publishes = counter("publishes_total", "Times that the tree was carried to the targets.", ["result"]);
  const audits = counter("audits_total", "Times that all of the source was looked through.", ["result"]);
  const notices = counter("notices_total", "Notices to others, by what became of them.", ["result"]);
  const durations = new Histogram({
    name: "nearlayer_sync_duration_seconds",
    help: "How long such a sync takes, without publishing.",
    buckets: BUCKETS,
    registers: [registry],
  });
  const up = new Gauge({
    name: "nearlayer_event_source_up",
    help: "1 while a source of events is connected.",
    labelNames: ["source"],
    registers: [registry],
  });
  const states: Record<string, boolean> = {};
  return {
    registry,
    received: (source, outcome, count = 1) => received.inc({ source, outcome }, count),
    synced(result, count, seconds) {
      syncs.inc({ result });
      repositories.inc(count);
      durations.observe(seconds);
    },
    published: (result) => publishes.inc({ result }),
    settled: (state, count) => settled.inc({ state }, count),
    noticed: (result) => notices.inc({ result }),
    audited: (result) => audits.inc({ result }),
    sourceIs(source, isUp) {
      states[source] = isUp;
      up.set({ source }, Number(isUp));
    },
    sources: () => states,
    observe(counts, now) {
      const gauge = (name: string, help: string, value: (counts: EventCounts) => number) =>
        new Gauge({
          name: `nearlayer_${name}`,
          help,
          registers: [registry],
          async collect() {
            // What cannot be read is left out, rather than shown as it once was.
            this.reset();
            const current = await counts().catch(() => undefined);
            if (current === undefined) this.remove();
            else this.set(value(current));
          },
        });
      gauge("events_waiting", "Events whose sync is to come, or to be tried again.", ({ waiting }) => waiting);
      gauge("events_parked", "Events that wait for somebody to look at them.", ({ parked }) => parked);
      gauge("events_oldest_waiting_seconds", "For how long the oldest has waited.", ({ oldestWaiting }) =>
        oldestWaiting === undefined ? 0 : Math.max(0, (now() - Date.parse(oldestWaiting)) / 1000),
      );
    },
  };
}
