import { NearlayerError } from "@nearlayer/shared/errors";
import type { Variants } from "./variants.ts";

/** How long a client waits for the catalog, in milliseconds. A server that hangs says nothing for a minute. */
const PATIENCE_MS = 3000;

/** The same variants, but nobody waits for long: without the catalog in time, the original is served, or 503. */
export function boundedVariants(variants: Variants, patienceMs = PATIENCE_MS): Variants {
  return {
    remembered: variants.remembered,
    make: (original, recipe) => within(variants.make(original, recipe), patienceMs, () => undefined),
    find: (digest, originalOf) =>
      within(variants.find(digest, originalOf), patienceMs, () => {
        throw new NearlayerError("CATALOG_FAILED", `the catalog has not answered within ${patienceMs} ms`);
      }),
  };
}

/** What is not over in time goes on beside: its end, good or bad, is nobody's any more. */
async function within<T>(work: Promise<T>, ms: number, late: () => T): Promise<T> {
  work.catch(() => undefined);
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const timer = setTimeout(() => {
    try {
      resolve(late());
    } catch (error) {
      reject(error);
    }
  }, ms);
  work.then(resolve, reject).finally(() => clearTimeout(timer));
  return promise;
}
