import { setTimeout as sleep } from "node:timers/promises";

export interface UntilOptions {
  /** What is waited for, for the error. */
  readonly what: string;
  /** Milliseconds; 10 s by default. */
  readonly within?: number;
  readonly every?: number;
}

/** Polls until the check gives something other than false or undefined, and returns that; a check that throws counts as not yet. */
export async function until<T>(
  check: () => T | Promise<T>,
  { what, within = 10_000, every = 25 }: UntilOptions,
): Promise<Exclude<T, false | undefined>> {
  const deadline = Date.now() + within;
  let last: unknown;
  for (;;) {
    try {
      const value = await check();
      if (value !== false && value !== undefined) return value as Exclude<T, false | undefined>;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) throw new Error(`${what}: not within ${within} ms`, { cause: last });
    await sleep(every);
  }
}
