import { type Logger, pino } from "pino";

export type { Logger } from "pino";

/**
 * Logs go to stderr as JSON lines, so that stdout stays for results. `NEARLAYER_LOG` sets the level
 * (trace, debug, info, warn, error, silent).
 */
export function createLogger(name: string, level = process.env.NEARLAYER_LOG ?? "info"): Logger {
  return pino({ name, level, base: { name } }, pino.destination({ fd: 2, sync: true }));
}

/** How much may wait for a stderr that nobody reads, in bytes; what comes after it is dropped, and counted. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;

/** How long the end of a program waits for the last lines to be read, in milliseconds. */
const FLUSH_MS = 500;

/** A log for servers. Dispose of it at the end, when nothing is logged any more. */
export interface ServerLog extends AsyncDisposable {
  readonly log: Logger;
  /** The lines that were lost because stderr did not take them. */
  dropped(): number;
}

/**
 * As `createLogger`, but a line never waits for stderr to be read: a log collector that hangs must not hang the answers.
 * Lines are written one behind another outside the event loop, and those for which there is no room are lost.
 */
export function createServerLog(name: string, level = process.env.NEARLAYER_LOG ?? "info"): ServerLog {
  const destination = pino.destination({ fd: 2, sync: false, maxLength: MAX_WAITING_BYTES });
  let dropped = 0;
  destination.on("drop", () => {
    dropped += 1;
  });
  // A stderr that is closed is no reason to end, and there is nowhere to say so.
  destination.on("error", () => undefined);
  return {
    log: pino({ name, level, base: { name } }, destination),
    dropped: () => dropped,
    async [Symbol.asyncDispose]() {
      await new Promise<void>((resolve) => {
        setTimeout(resolve, FLUSH_MS).unref();
        destination.once("close", resolve).end();
      });
      // What is left would else be written at exit, by waiting for who does not read.
      destination.destroy();
    },
  };
}
