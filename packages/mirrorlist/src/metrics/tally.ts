import { Counter, type CounterConfiguration, type Metric, type Registry } from "prom-client";

/**
 * Counts that are added up here and told to prom-client when somebody asks: to find the counter of some labels takes it
 * as long as a good part of an answer.
 */
export interface Tally {
  /** Counts one more with these values of the labels. */
  count(first: string, second?: string | number): void;
}

/** A counter with one or two labels, and the tally of it. */
export function createTallied<L extends string>(
  config: CounterConfiguration<L> & { readonly labelNames: readonly [L] | readonly [L, L] },
): Tally & { readonly counter: Counter<L> } {
  // One in the other: of the two in one text, the hash would have to be found each time.
  const counts = new Map<string, Map<string | number, number>>();
  const [firstName, secondName] = config.labelNames;
  const counter = new Counter<L>({
    ...config,
    collect() {
      for (const [first, ofFirst] of counts) {
        for (const [second, count] of ofFirst) {
          const labels = { [firstName]: first, ...(secondName && { [secondName]: second }) };
          this.inc(labels as Record<L, string | number>, count);
        }
      }
      counts.clear();
    },
  });
  return {
    counter,
    count(first, second = "") {
      let ofFirst = counts.get(first);
      if (ofFirst === undefined) {
        ofFirst = new Map();
        counts.set(first, ofFirst);
      }
      ofFirst.set(second, (ofFirst.get(second) ?? 0) + 1);
    },
  };
}

/** A histogram with one label. `bounds` are those of its buckets, from the lowest to the highest. */
export function createDurations(
  registry: Registry,
  { name, help, label, bounds }: { name: string; help: string; label: string; bounds: readonly number[] },
): { observe(value: string, seconds: number): void } {
  const all = new Map<string, { readonly buckets: number[]; sum: number }>();
  const valuesOf = (value: string, { buckets, sum }: { readonly buckets: number[]; sum: number }) => {
    const labels = { [label]: value };
    let count = 0;
    const counts = buckets.map((bucket, index) => {
      count += bucket;
      return { metricName: `${name}_bucket`, labels: { le: bounds[index] ?? "+Inf", ...labels }, value: count };
    });
    return [
      ...counts,
      { metricName: `${name}_sum`, labels, value: sum },
      { metricName: `${name}_count`, labels, value: count },
    ];
  };
  const metric = {
    name,
    get: async () => ({
      ...{ name, help, type: "histogram", aggregator: "sum" },
      values: [...all].flatMap(([value, counted]) => valuesOf(value, counted)),
    }),
  };
  // prom-client asks for no more of a metric than that, whatever its types say.
  registry.registerMetric(metric as unknown as Metric);
  return {
    observe(value, seconds) {
      let counted = all.get(value);
      if (counted === undefined) {
        counted = { buckets: new Array(bounds.length + 1).fill(0), sum: 0 };
        all.set(value, counted);
      }
      let bucket = 0;
      while (bucket < bounds.length && seconds > (bounds[bucket] ?? 0)) bucket += 1;
      counted.buckets[bucket] = (counted.buckets[bucket] ?? 0) + 1;
      counted.sum += seconds;
    },
  };
}
