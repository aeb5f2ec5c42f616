import { type Logger, pino, symbols } from "pino";
import { gatherLines } from "./log-lines.ts";

export type { Logger } from "pino";

/**
 * Logs go to stderr as JSON lines, so that stdout stays for results. `NEARLAYER_LOG` sets the level
 * (trace, debug, info, warn, error, silent).
 */
export function createLogger(
  name: string,
  level = process.env.NEARLAYER_LOG ?? "info",
  stream: { write(line: string): void } = pino.destination({ fd: 2, sync: true }),
): Logger {
  return pino({ name, level, base: { name } }, stream);
}

/**
 * Writes lines of level info that are put together by whoever calls, which for one a request is a good part of what an
 * answer costs. Undefined when the level is above. `fields` are members of a JSON object: `"kind":"blob","status":307`.
 */
export function lineWriter(log: Logger, message: string): ((fields: string) => void) | undefined {
  if (!log.isLevelEnabled("info")) return undefined;
  const stream = (log as unknown as Record<symbol, { write(line: string): void }>)[symbols.streamSym];
  if (stream === undefined) throw new Error("pino has no stream");
  const bindings = JSON.stringify(log.bindings()).slice(1, -1);
  return (fields) => {
    stream.write(`{"level":30,"time":${Date.now()},${bindings},${fields},"msg":"${message}"}\n`);
  };
}

/** How much may wait for a stderr that nobody reads, in bytes; what comes after it is dropped, and counted. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;

const NEWLINE = 10;

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
 * Lines are gathered for a moment, written outside the event loop, and lost when there is no room for them.
 */
export function createServerLog(name: string, level = process.env.NEARLAYER_LOG ?? "info"): ServerLog {
  const destination = pino.destination({
    fd: 2,
    sync: false,
    maxLength: MAX_WAITING_BYTES,
    contentMode: "buffer",
  } as never);
  let dropped = 0;
  destination.on("drop", (bytes: Buffer) => {
    for (const byte of bytes) dropped += byte === NEWLINE ? 1 : 0;
  });
  // A stderr that is closed is no reason to end, and there is nowhere to say so.
  destination.on("error", () => undefined);
  // In this mode it takes bytes, which its type does not say.
  const lines = gatherLines((bytes) => destination.write(bytes as never));
  return {
    log: createLogger(name, level, lines),
    dropped: () => dropped,
    async [Symbol.asyncDispose]() {
      lines.flush();
      await new Promise<void>((resolve) => {
        setTimeout(resolve, FLUSH_MS).unref();
        destination.once("close", resolve).end();
      });
      // What is left would else be written at exit, by waiting for who does not read.
      destination.destroy();
    },
  };
}
