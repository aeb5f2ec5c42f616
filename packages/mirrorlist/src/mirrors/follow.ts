import { setTimeout as sleep } from "node:timers/promises";
import { whenFree } from "@nearlayer/shared/catalog/busy";
import { ensureDeclared } from "@nearlayer/shared/catalog/mirror-declared";
import { readMirrors } from "@nearlayer/shared/catalog/mirrors";
import type { Catalog } from "@nearlayer/shared/catalog/open";
import { watchRevision } from "@nearlayer/shared/catalog/watch";
import type { DeclaredMirror } from "@nearlayer/shared/config/schema";
import { messageOf } from "@nearlayer/shared/errors";
import type { Logger } from "@nearlayer/shared/log";
import { createNetwork, type Network } from "./network.ts";

/** How long one attempt to write waits for other writers, and how long it is until the next attempt. */
const WRITE_MS = 5000;
const RETRY_MS = 5000;

/** The network, kept as the catalog has it: what any instance or command changes is here within a second. */
export interface FollowedNetwork extends AsyncDisposable {
  readonly network: Network;
  /**
   * The operator's file has changed: it counts from now on. The catalog is told too, now or, when it is out of reach,
   * as soon as it can be.
   */
  declare(declared: readonly DeclaredMirror[]): Promise<void>;
  /** Reads what has changed in the catalog now, and does not wait for the watch. */
  refresh(): Promise<void>;
}

export interface FollowOptions {
  /** Called when other mirrors take part. */
  readonly onNames?: (names: ReadonlySet<string>) => void;
  /**
   * The file is the one that pulls are answered by: a mirror that has left it is removed. What only looks at the network,
   * with a file that may be tried out, removes none.
   */
  readonly isServer?: boolean;
}

/**
 * Reads the mirrors, brings the rows of those that are declared in line with the file, and watches. While the catalog is
 * out of reach, the network stays as it is. `catalog` must be one that does not wait (`failWhenBusy`).
 */
export async function followNetwork(
  catalog: Catalog,
  location: string,
  declared: readonly DeclaredMirror[],
  log: Logger,
  { onNames = () => undefined, isServer = false }: FollowOptions = {},
): Promise<FollowedNetwork> {
  const stop = new AbortController();
  const rows = keepDeclared(catalog, declared, stop.signal, log);
  await rows.attempt(isServer);
  const first = await readMirrors(catalog);
  const network = createNetwork(declared, first);
  let { revision } = first;
  let reading: Promise<void> = Promise.resolve();
  const change = (work: () => void) => {
    const before = namesOf(network);
    work();
    const names = namesOf(network);
    if (before.symmetricDifference(names).size > 0) onNames(names);
  };
  // One after the other: what was read later is newer.
  const refresh = () => {
    const read = reading.then(async () => {
      const news = await readMirrors(catalog, revision);
      revision = news.revision;
      change(() => network.follow(news));
      // Another server goes by another file, in which they are not: here they are.
      if (network.isUnknown()) void rows.attempt(false);
    });
    reading = read.catch(() => undefined);
    return read;
  };
  const watch = watchRevision(catalog, location, {
    of: "mirrorRevision",
    after: revision,
    onChange: refresh,
  });
  return {
    network,
    refresh,
    async declare(next) {
      change(() => network.replace(next));
      rows.want(next);
      await rows.attempt(isServer);
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await watch[Symbol.asyncDispose]();
      await rows.ended();
    },
  };
}

const namesOf = (network: Network) => new Set(network.mirrors().map(({ name }) => name));

/** Brings the rows of declared mirrors in line with the file: now, or later when the catalog cannot be written. */
function keepDeclared(catalog: Catalog, declared: readonly DeclaredMirror[], stop: AbortSignal, log: Logger) {
  let wanted = declared;
  let keepOthers = true;
  let isRetrying = false;
  // One after the other, so that what is wanted last is written last.
  let turns: Promise<unknown> = Promise.resolve();
  let retries: Promise<void> = Promise.resolve();

  const write = async (): Promise<boolean> => {
    const at = new Date().toISOString();
    try {
      const { replaced, removed } = await whenFree(() => ensureDeclared(catalog, wanted, at, { keepOthers }), WRITE_MS);
      keepOthers = true;
      for (const mirror of replaced)
        log.warn({ mirror }, "declared under the name of a mirror that had opted in: replaced");
      for (const mirror of removed) log.info({ mirror }, "no longer declared: removed");
      return true;
    } catch (error) {
      if (!stop.aborted) log.warn({ reason: messageOf(error) }, "the declared mirrors are not in the catalog yet");
      return false;
    }
  };
  const inTurn = () => {
    const result = turns.then(write);
    turns = result;
    return result;
  };
  const retry = async () => {
    while (!stop.aborted) {
      await sleep(RETRY_MS, undefined, { signal: stop, ref: false }).catch(() => undefined);
      if (stop.aborted || (await inTurn())) break;
    }
    isRetrying = false;
  };
  return {
    want(next: readonly DeclaredMirror[]): void {
      wanted = next;
    },
    /** `isWhole`: what is not among them is not declared any more. */
    async attempt(isWhole: boolean): Promise<void> {
      if (isWhole) keepOthers = false;
      if ((await inTurn()) || isRetrying || stop.aborted) return;
      isRetrying = true;
      retries = retry();
    },
    async ended(): Promise<void> {
      await retries;
      await turns;
    },
  };
}
