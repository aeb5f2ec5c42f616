import { Counter, collectDefaultMetrics, Registry } from "prom-client";
import type { AccessEntry } from "../http/deps.ts";
import { registerGauges, type Sources } from "./gauges.ts";
import { createDurations, createTallied } from "./tally.ts";

/** An answer that has gone out, or broken off. */
export interface Answered {
  readonly entry: AccessEntry;
  readonly status: number;
  readonly seconds: number;
  readonly isAborted: boolean;
}

/** What is counted for Prometheus; `docs/metrics.md` has the table. No label takes a value from a client. */
export interface Metrics {
  readonly registry: Registry;
  answered(answer: Answered): void;
  /** A mirror was asked for its GENERATION: `ok`, or the kind of the failure. */
  probed(mirror: string, result: string): void;
  /** A mirror was looked at for a blob, for the first time in minutes. */
  looked(mirror: string, result: "ok" | "bad" | "unreachable"): void;
  reloaded(isGood: boolean): void;
  evicted(): void;
  /** Takes the numbers that are states from what holds them, whenever somebody asks. */
  observe(sources: Sources): void;
  /** Forgets the mirrors that are not among these, so that their names do not stay for ever. */
  keepMirrors(names: ReadonlySet<string>): void;
}

/** Seconds: from memory, a look at a mirror, a blob from the origin. */
const BUCKETS = [0.001, 0.005, 0.025, 0.1, 0.5, 2, 10, 60];

/** `ofProcess` adds what Node tells of itself: CPU, memory, files, garbage, the delay of the event loop. */
export function createMetrics({ ofProcess = false } = {}): Metrics {
  const registry = new Registry();
  if (ofProcess) collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 10 });
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Counter({ name: `nearlayer_${name}`, help, labelNames, registers: [registry] });
  const tallied = <L extends string>(name: string, help: string, labelNames: readonly [L] | readonly [L, L]) =>
    createTallied({ name: `nearlayer_${name}`, help, labelNames, registers: [registry] });
  const requests = tallied("requests_total", "Answers by what was asked and their status.", ["kind", "status"]);
  const aborted = counter("requests_aborted_total", "Answers that the client did not wait for.", ["kind"]);
  const manifests = tallied("manifests_total", "Manifests by how they were delivered.", ["delivery"]);
  const redirects = tallied("redirects_total", "Layers by the mirror and its rank.", ["mirror", "rank"]);
  const origin = counter("origin_answers_total", "Layers for which no mirror was named, by the reason.", ["reason"]);
  const originBytes = counter("origin_bytes_total", "Bytes of layers that were read for clients here.");
  const failovers = counter("failovers_total", "Layers that were asked for again: the mirror before has failed.");
  const probes = counter("probes_total", "Probes of mirrors by what came of them.", ["mirror", "result"]);
  const looks = counter("checks_total", "Looks at blobs on mirrors, by what they have shown.", ["mirror", "result"]);
  const reloads = counter("config_reloads_total", "Configurations that were read again, by the result.", ["result"]);
  const evictions = counter("connections_evicted_total", "Idle connections that were closed to make room.");
  const durations = createDurations(registry, {
    name: "nearlayer_request_duration_seconds",
    help: "From the head of a request to the end of its answer.",
    label: "kind",
    bounds: BUCKETS,
  });

  return {
    registry,
    answered({ entry, status, seconds, isAborted }) {
      const { kind, delivery, mirror, rank = "", failover, originBytes: bytes } = entry;
      requests.count(kind, status);
      durations.observe(kind, seconds);
      if (isAborted) aborted.inc({ kind });
      if (delivery !== undefined) manifests.count(delivery);
      if (mirror === "origin") origin.inc({ reason: rank });
      else if (mirror !== undefined) redirects.count(mirror, rank.startsWith("netblock") ? "netblock" : rank);
      if (failover !== undefined) failovers.inc();
      if (bytes?.() !== undefined) originBytes.inc(bytes());
    },
    probed: (mirror, result) => probes.inc({ mirror, result }),
    looked: (mirror, result) => looks.inc({ mirror, result }),
    reloaded: (isGood) => reloads.inc({ result: isGood ? "ok" : "refused" }),
    evicted: () => evictions.inc(),
    observe: (sources) => registerGauges(registry, sources),
    keepMirrors(names) {
      for (const metric of [redirects.counter, probes, looks] as Counter[]) {
        void metric.get().then(({ values }) => {
          for (const { labels } of values) if (!names.has(String(labels.mirror))) metric.remove(labels);
        });
      }
    },
  };
}
