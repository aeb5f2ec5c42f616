import { setTimeout as sleep } from "node:timers/promises";
import { isPostgres } from "../config/load.ts";
import { type Catalog, type RevisionKey, readRevision } from "./open.ts";
import { listenForRevisions } from "./postgres-listener.ts";

/** How often SQLite is asked: one row, some ten microseconds. PostgreSQL is asked as often while it cannot tell us. */
const POLL_MS = 250;

/** How often PostgreSQL is asked while it tells us: only in case a word was lost. */
const SAFETY_POLL_MS = 5_000;

/** Whether the catalog could be read when it was last tried. */
export type CatalogState = { readonly ok: true } | { readonly ok: false; readonly error: unknown };

export interface RevisionWatchOptions {
  /** Which changes are watched; by default those of what is published. */
  readonly of?: RevisionKey;
  /** The revision that is known already; without it, the first one that is read is told too. */
  readonly after?: number;
  /**
   * There is a new revision. It is never called while it is still at work: what changed meanwhile comes as one call
   * afterwards. When it fails, that counts as a failure to read, and it is called again with the newest revision.
   */
  readonly onChange: (revision: number) => Promise<void> | void;
  /** Called when the catalog can no longer be read, and when it can be again; it is taken as readable at first. */
  readonly onState?: (state: CatalogState) => void;
  /** How often PostgreSQL is asked while it tells us, in milliseconds; 5 s by default. */
  readonly safetyPollMs?: number;
}

/** Something that wakes the watch as soon as there may be something new. */
export interface RevisionListener extends AsyncDisposable {
  /** Would it tell? While it would not, the watch asks more often. */
  isListening(): boolean;
}

/**
 * Tells of each new revision of the catalog within a second: PostgreSQL tells by itself (LISTEN), a file is asked. It
 * goes on when the database goes away, and is right again when that is back. Disposed of, it calls nobody any more.
 */
export function watchRevision(catalog: Catalog, location: string, options: RevisionWatchOptions): AsyncDisposable {
  const { of = "revision", onChange, onState, safetyPollMs = SAFETY_POLL_MS } = options;
  const stop = new AbortController();
  let wake = new AbortController();
  const listener = isPostgres(location) ? listenForRevisions(location, of, () => wake.abort()) : undefined;
  let known = options.after;
  let isReadable = true;

  const look = async () => {
    try {
      const revision = await readRevision(catalog, of);
      if (stop.signal.aborted) return;
      if (revision !== known) await onChange(revision);
      known = revision;
      if (!isReadable) onState?.({ ok: true });
      isReadable = true;
    } catch (error) {
      if (isReadable && !stop.signal.aborted) onState?.({ ok: false, error });
      isReadable = false;
    }
  };
  const done = (async () => {
    while (!stop.signal.aborted) {
      wake = new AbortController();
      const started = performance.now();
      await look();
      // A writer that records image after image must not keep the reader reading without end.
      const spent = performance.now() - started;
      await pause(Math.min(spent, SAFETY_POLL_MS), stop.signal);
      const pollMs = isReadable && listener?.isListening() ? safetyPollMs : POLL_MS;
      await pause(pollMs, AbortSignal.any([stop.signal, wake.signal]));
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await listener?.[Symbol.asyncDispose]();
      await done;
    },
  };
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal, ref: false }).catch(() => undefined);
}
