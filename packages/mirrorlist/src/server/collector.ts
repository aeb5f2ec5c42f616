import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";

/**
 * Tells V8 to make no object in the old generation from the first. It does so where many objects of a place in the code
 * were alive at some collections, as those of requests under way are. Such an object is soon dead and not collected for
 * long, and keeps all that it refers to: each request leaves some kilobytes that are copied twice and swept in the end,
 * which took a third of the time of a redirect. To be called before there is any load.
 */
export function keepRequestsYoung(): void {
  setFlagsFromString("--no-allocation-site-pretenuring");
}

/** By how much garbage may make the old generation larger than what is alive, in percent. V8 allows up to 300. */
const GROWING_PERCENT = 30;
/** From which size on the young generation, both halves together, does not grow any more. V8 goes up to 128 MB. */
const YOUNG_BYTES = 16 * 1024 * 1024;
const EVERY_MS = 100;

/**
 * Keeps the memory close to what is in use. The old generation is collected before there is as much garbage again as
 * there is alive. The young one stops growing at 64 MB, as a rule: its largest size is a flag of the start
 * (`--max-semi-space-size`), but whether it grows is asked each time, and it may do so twice before it is seen here.
 */
export function keepMemorySmall(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWING_PERCENT}`);
  const timer = setInterval(() => {
    const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space");
    if ((young?.space_size ?? 0) < YOUNG_BYTES) return;
    setFlagsFromString("--semi-space-growth-factor=1");
    clearInterval(timer);
  }, EVERY_MS).unref();
}
