import { PerformanceObserver } from "node:perf_hooks";
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

/**
 * How large the young generation becomes, both halves together, where V8 goes up to 128 MB. While the catalog is read,
 * what is young is soon garbage or stays for good: a larger one only takes memory, and time. Under load it should be
 * collected less often.
 */
const YOUNG_BYTES = { starting: 4 * 1024 * 1024, serving: 16 * 1024 * 1024 };
let youngBytes = YOUNG_BYTES.starting;

/**
 * Keeps the memory close to what is in use. The old generation is collected before there is as much garbage again as
 * there is alive. The largest size of the young one is a flag of the start (`--max-semi-space-size`), and programs are
 * started without flags; but by how much it grows is asked each time that it does. So it may not, but for collections
 * that have been seen here to leave it small. To be called before much is loaded, which leaves no time to see them.
 */
export function keepMemorySmall(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWING_PERCENT}`);
  growYoungBy(1);
  new PerformanceObserver(() => {
    const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space");
    growYoungBy((young?.space_size ?? 0) < youngBytes ? 2 : 1);
  }).observe({ entryTypes: ["gc"] });
}

/** The start is over, and the load begins. */
export function makeRoomForRequests(): void {
  youngBytes = YOUNG_BYTES.serving;
}

const growYoungBy = (factor: number) => setFlagsFromString(`--semi-space-growth-factor=${factor}`);
