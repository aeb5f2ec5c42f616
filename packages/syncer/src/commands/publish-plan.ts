import { existsSync } from "node:fs";
import { openCatalogToRead } from "@nearlayer/shared/catalog/read";
import type { Config } from "@nearlayer/shared/config/schema";
import type { Target } from "@nearlayer/shared/config/target";
import { isNearlayerError, messageOf, NearlayerError } from "@nearlayer/shared/errors";
import { pubDir } from "@nearlayer/shared/tree";
import { forecastTarget, type TargetForecast } from "../publish/forecast.ts";
import { requireTargets, rsyncSettingsOf } from "./publish.ts";
import type { Run } from "./run.ts";

/** What publishing would do to each target. */
export interface PublishForecast {
  readonly dryRun: true;
  readonly targets: readonly ({ readonly destination: string } & (
    | ({ readonly ok: true } & TargetForecast)
    | { readonly ok: false; readonly message: string }
  ))[];
}

/** Compares the tree, as it stands, with every target, by rsync's own dry run. Changes nothing, here or there. */
export async function forecastPublish(config: Config, run: Run): Promise<PublishForecast> {
  const targets = requireTargets(config);
  if (!existsSync(pubDir(config.root))) {
    throw new NearlayerError("PUBLISH_FAILED", `there is nothing to publish: there is no ${pubDir(config.root)}`, {
      hint: "run `syncer sync` first",
    });
  }
  const catalog = await openCatalogToRead(config.catalog);
  const forecast = async (target: Target) => {
    const { destination } = target;
    try {
      const settings = rsyncSettingsOf(config, target, run);
      return { destination, ok: true as const, ...(await forecastTarget(catalog, config.root, target, settings)) };
    } catch (error) {
      run.signal.throwIfAborted();
      if (!isNearlayerError(error)) throw error;
      return { destination, ok: false as const, message: messageOf(error) };
    }
  };
  try {
    run.progress.phase("comparing");
    return { dryRun: true, targets: await Promise.all(targets.map(forecast)) };
  } finally {
    await catalog.destroy();
  }
}
