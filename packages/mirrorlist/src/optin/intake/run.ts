import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "@nearlayer/shared/errors";
import type { Logger } from "@nearlayer/shared/log";
import type { Rules } from "../limits.ts";
import type { OptIns } from "../opt-ins.ts";
import { createIntake, type Intake } from "./intake.ts";

/** How often the folder is looked at, in milliseconds: one listing, of a folder that is empty as a rule. */
const LOOK_MS = 1000;

/** Reads uploads, as long as it is not disposed of. The folder is the one of the newest configuration, if it has one. */
export function runIntake(
  folderNow: () => string | undefined,
  optIns: OptIns,
  rules: () => Rules,
  log: Logger,
): AsyncDisposable {
  const stop = new AbortController();
  let folder: string | undefined;
  let intake: Intake | undefined;
  let trouble = "";
  const pass = async () => {
    if (folderNow() !== folder) {
      folder = folderNow();
      intake = folder === undefined ? undefined : createIntake(folder, optIns, rules);
    }
    for (const result of (await intake?.pass(Date.now())) ?? []) {
      if (result.result === "rejected") log.warn(result, "an upload was rejected");
      else log.info(result, "an upload was taken");
    }
  };
  const done = (async () => {
    while (!stop.signal.aborted) {
      const now = await pass().then(() => "", messageOf);
      // Said once, and not each second.
      if (now !== "" && now !== trouble) log.warn({ reason: now }, "uploads of mirrors cannot be read: trying again");
      trouble = now;
      await sleep(LOOK_MS, undefined, { signal: stop.signal, ref: false }).catch(() => undefined);
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await done;
    },
  };
}
