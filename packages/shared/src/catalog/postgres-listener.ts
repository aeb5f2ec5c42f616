import pg from "pg";
import { REVISION_CHANNELS, type RevisionKey } from "./open.ts";
import { connectionOptions } from "./postgres-connection.ts";
import type { RevisionListener } from "./watch.ts";

/** Milliseconds from one attempt to connect to the next: the first, and the longest. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;

/**
 * Listens on a connection of its own, made anew whenever it breaks. `wake` is called for each notification, and when
 * the connection begins or ends, since what happened in between was told to nobody.
 */
export function listenForRevisions(location: string, key: RevisionKey, wake: () => void): RevisionListener {
  let isStopped = false;
  let pauseMs = FIRST_PAUSE_MS;
  let timer: NodeJS.Timeout | undefined;
  let listening: pg.Client | undefined;
  let attempt: Promise<void> = Promise.resolve();

  const connect = async () => {
    const client = new pg.Client({ ...connectionOptions(location), connectionTimeoutMillis: 5_000 });
    let isOver = false;
    const over = () => {
      if (isOver) return;
      isOver = true;
      if (listening === client) listening = undefined;
      void client.end().catch(() => undefined);
      wake();
      if (isStopped) return;
      timer = setTimeout(start, pauseMs * (0.5 + Math.random() / 2));
      timer.unref();
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
    };
    client.on("notification", wake).on("error", over).on("end", over);
    try {
      await client.connect();
      await client.query(`listen ${REVISION_CHANNELS[key]}`);
    } catch {
      // The watch's own query meets the same failure, and reports it.
      over();
      return;
    }
    if (isStopped || isOver) return over();
    listening = client;
    pauseMs = FIRST_PAUSE_MS;
    wake();
  };
  const start = () => {
    attempt = connect();
  };
  start();
  return {
    isListening: () => listening !== undefined,
    async [Symbol.asyncDispose]() {
      isStopped = true;
      clearTimeout(timer);
      await attempt;
      await listening?.end().catch(() => undefined);
    },
  };
}
