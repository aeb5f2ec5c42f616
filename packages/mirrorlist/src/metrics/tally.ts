import { Counter, type CounterConfiguration, type Metric, type Registry } from "prom-client";

/**
 * Counts that are added up here and told to prom-client when somebody asks: to find the counter of some labels takes it
 * as long as a good part of an answer.
 */
export interface Tally {
  add(count?: number): void;
}

/** A counter and, by a key that stands for its labels, tallies of it. */
export function createTallied<L extends string>(
  config: CounterConfiguration<L>,
  labelsOf: (key: string) => Record<L, string>,
): { readonly counter: Counter<L>; of(key: string): Tally } {
  const tallies = new Map<string, Tally & { take(): number }>();
  const counter = new Counter<L>({
    ...config,
    collect() {
      for (const [key, tally] of tallies) {
        const count = tally.take();
        // What nobody has counted since the last time may be of a mirror that is gone.
        if (count > 0) this.inc(labelsOf(key), count);
        else tallies.delete(key);
      }
    },
  });
  return {
    counter,
    of(key) {
      const known = tallies.get(key);
      if (known !== undefined) return known;
      const tally = createCount();
      tallies.set(key, tally);
      return tally;
    },
  };
}

function createCount() {
  let count = 0;
  return {
    add(more = 1) {
      count += more;
    },
    take() {
      const taken = count;
      count = 0;
      return taken;
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
