import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "@nearlayer/shared/errors";
import type { Logger } from "@nearlayer/shared/log";
import type { Rules } from "../limits.ts";
import type { OptIns } from "../opt-ins.ts";
import { createIntake, type Intake } from "./intake.ts";

/** How often the folder is looked at, in milliseconds: one listing, of a folder that is empty as a rule. */
const LOOK_MS = 1000;
/** How often those are looked for that have been pending for too long. */
const EXPIRE_MS = 600_000;

/**
 * Reads uploads and lets go who has been pending for too long, until it is disposed of. The folder is the one of the
 * newest configuration, if it has one.
 */
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
  let expiredAt = Date.now();
  const pass = async () => {
    if (Date.now() - expiredAt > EXPIRE_MS) {
      expiredAt = Date.now();
      for (const mirror of await optIns.expire()) log.info({ mirror }, "it was pending for too long: removed");
    }
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
