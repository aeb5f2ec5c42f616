import { setFlagsFromString } from "node:v8";
import type { Config } from "@nearlayer/shared/config/schema";
import { Interrupted } from "@nearlayer/shared/interrupt";
import { createServerLog } from "@nearlayer/shared/log";
import { type Listening, listen as listenToEvents } from "../events/listen.ts";
import type { Run } from "./run.ts";

export type { Listening } from "../events/listen.ts";

/** Listens to events until it is asked to end, which is no failure. */
export async function listen(config: Config, run: Run, onListening: (listening: Listening) => void): Promise<void> {
  // V8 lets the part of the heap for what is new grow to 64 MB before it looks what of it is garbage, which is for programs
  // that compute. One that waits most of its life does as well with the size it starts with.
  setFlagsFromString("--semi-space-growth-factor=1");
  await using server = createServerLog("syncer");
  try {
    await listenToEvents(config, run.signal, server.log, onListening);
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
  }
}

export function summarizeListening({ url, sources }: Listening): string {
  const from = sources.length === 0 ? "`syncer trigger` alone" : sources.join(", ");
  return `syncer listens${url === undefined ? "" : ` on ${url}`}: events come from ${from}`;
}
