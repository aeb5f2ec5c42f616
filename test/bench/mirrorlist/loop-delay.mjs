// Preloaded into a server: on SIGUSR2, writes the event loop's delay since the last time, and begins anew.
import { writeFileSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";

const RESOLUTION_MS = 1;
const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
histogram.enable();
process.on("SIGUSR2", () => {
  // What is measured is from one tick of a timer to the next: without delay, the resolution.
  const ms = (nanoseconds) => Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS);
  const [p50, p99, max] = [histogram.percentile(50), histogram.percentile(99), histogram.max].map(ms);
  writeFileSync(process.env.BENCH_LOOP_DELAY, JSON.stringify({ p50, p99, max }));
  histogram.reset();
});
