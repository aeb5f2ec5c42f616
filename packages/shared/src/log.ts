import { type Logger, pino } from "pino";

export type { Logger } from "pino";

/**
 * Logs go to stderr as JSON lines, so that stdout stays for results. `NEARLAYER_LOG` sets the level
 * (trace, debug, info, warn, error, silent).
 */
export function createLogger(name: string, level = process.env.NEARLAYER_LOG ?? "info"): Logger {
  return pino({ name, level, base: { name } }, pino.destination({ fd: 2, sync: true }));
}
