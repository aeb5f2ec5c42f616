import type { Logger } from "@nearlayer/shared/log";
import { type Progress, SILENT } from "./progress.ts";

/** Writes a line for each image to a log: for those who read it later, not for those who watch. */
export function createLogProgress(log: Logger): Progress {
  return {
    ...SILENT,
    phase: (what) => log.info(what),
    begin: (ref, size) => {
      log.debug({ ref, size }, "blob begins");
      return { ...SILENT.begin(ref, size), end: () => log.debug({ ref }, "blob ended") };
    },
    image(name, outcome, reason) {
      if (outcome === "failed") log.warn({ image: name, reason }, "image failed");
      else log.info({ image: name }, "image updated");
    },
  };
}
