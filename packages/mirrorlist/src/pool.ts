/** Runs so many works at a time; the others wait for their turn. */
export interface Pool {
  run<T>(work: () => Promise<T>): Promise<T>;
  /** Resolves when nothing is at work or waiting. */
  idle(): Promise<void>;
  readonly waiting: number;
}

export function createPool(atOnce: number): Pool {
  const queue: (() => void)[] = [];
  const working = new Set<Promise<unknown>>();
  let free = atOnce;
  return {
    get waiting() {
      return queue.length;
    },
    run(work) {
      const result = (async () => {
        if (free === 0) await new Promise<void>((resolve) => queue.push(resolve));
        else free -= 1;
        try {
          return await work();
        } finally {
          const next = queue.shift();
          if (next === undefined) free += 1;
          else next();
        }
      })();
      working.add(result);
      void result.then(
        () => working.delete(result),
        () => working.delete(result),
      );
      return result;
    },
    async idle() {
      while (working.size > 0) await Promise.allSettled(working);
    },
  };
}
