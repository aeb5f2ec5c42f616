import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "@nearlayer/shared/config/schema";
import { NearlayerError } from "@nearlayer/shared/errors";
import { openMmdbGeo } from "../../geo/mmdb.ts";
import { createCheckAsn } from "../../optin/check-asn.ts";
import { createIntake, type IntakeResult } from "../../optin/intake/intake.ts";
import { createOptIns } from "../../optin/opt-ins.ts";
import { rulesOf } from "../../optin/rules.ts";
import { formatTable } from "../table.ts";
import { withCatalog } from "./open.ts";

/** An upload that has not changed for so long is whole, in milliseconds. */
const SETTLE_MS = 1000;

export interface IntakeSummary {
  readonly uploads: readonly IntakeResult[];
}

/** Works once through the folder of uploads, as a running server does each second. */
export async function intake(config: Config, folder = config.optin.folder): Promise<IntakeSummary> {
  if (folder === undefined) {
    throw new NearlayerError("CONFIG_INVALID", "optin.folder is not set: where are uploads?", {
      hint: "set it in the configuration, or use --folder",
    });
  }
  const geo = await openMmdbGeo(config.mirrorlist.geoip);
  return withCatalog(config, async (catalog) => {
    const checkAsn = createCheckAsn(geo);
    const optIns = createOptIns({ catalog, config: () => config, checkAsn, now: Date.now });
    const worker = createIntake(folder, optIns, () => rulesOf(config));
    const first = await worker.pass(Date.now());
    await sleep(SETTLE_MS);
    return { uploads: [...first, ...(await worker.pass(Date.now()))] };
  });
}

export function summarizeIntake({ uploads }: IntakeSummary): string {
  if (uploads.length === 0) return "no uploads";
  const rows = uploads.map(({ file, result, reason = "" }) => [
    JSON.stringify(file).slice(1, -1),
    result,
    reason.replaceAll("\n", "; "),
  ]);
  return formatTable(["UPLOAD", "RESULT", "WHY"], rows);
}
