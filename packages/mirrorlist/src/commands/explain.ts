import type { Config } from "@nearlayer/shared/config/schema";
import { NearlayerError } from "@nearlayer/shared/errors";
import type { Reference } from "@nearlayer/shared/reference";
import { type Explanation, explain } from "../explain/explain.ts";
import { openMmdbGeo } from "../geo/mmdb.ts";
import { parseAddress } from "../selection/client.ts";
import { readSnapshot } from "../served/read.ts";
import { EMPTY_SNAPSHOT } from "../served/snapshot.ts";
import { askForgotten, openNetwork } from "./probed.ts";
import { formatTable } from "./table.ts";

/** What a pull of the image from the address would get, by the catalog and the mirrors as they are now. */
export async function explainPull(config: Config, reference: Reference, ip: string): Promise<Explanation> {
  const address = parseAddress(ip);
  if (address === undefined) throw new NearlayerError("USAGE", `not an IP address: ${ip.slice(0, 100)}`);
  const geo = await openMmdbGeo(config.mirrorlist.geoip);
  await using opened = await openNetwork(config);
  await askForgotten(opened, config);
  const snapshot = await readSnapshot(opened.catalog, EMPTY_SNAPSHOT);
  const deps = { snapshot, mirrors: opened.network.mirrors(), geo, config, now: Date.now() };
  const explanation = await explain(deps, reference, address);
  if (explanation.kind === "explanation") return explanation;
  throw new NearlayerError("NOT_FOUND", `${explanation.message}: ${explanation.detail}`, {
    hint: "`syncer sync` brings images into the catalog",
  });
}

export function summarizeExplanation(explanation: Explanation): string {
  const { image, client, delivery, scheme, layers, omittedLayers, attributions } = explanation;
  const { latitude, longitude } = client.position ?? {};
  const where = [
    client.country ?? "country unknown",
    client.asn === undefined ? "" : `AS${client.asn}`,
    latitude === undefined || longitude === undefined ? "" : `near ${latitude.toFixed(0)}° ${longitude.toFixed(0)}°`,
  ];
  const rows = layers.flatMap(({ digest, platforms, candidates, rejected, overflowed }) => {
    const layer = (index: number) => (index === 0 ? [digest.slice(7, 19), platforms.join(" ")] : ["", ""]);
    const lines = [
      ...overflowed.map((rank) => ["", rank, "", "", "not enough bandwidth for all: goes on to the next band"]),
      ...candidates.map((one) => [one.mirror, one.rank, ...placeOf(one), one.score]),
      ["origin", "last", "", "", ""],
      ...rejected.map((one) => [one.mirror, `not: ${one.reason}`, ...placeOf(one), one.detail]),
    ];
    return lines.map((line, index) => [...layer(index), ...line]);
  });
  return [
    `${image.repository} ${image.reference} is ${image.digest}`,
    `client ${client.address} (${[client.prefix, ...where].filter((text) => text !== "").join(", ")})`,
    `delivery ${delivery.configured}${delivery.pinned === undefined ? "" : `, never rewritten: ${delivery.pinned}`}`,
    ...(scheme === "any" ? [] : [`scheme ${scheme}`]),
    "",
    formatTable(["LAYER", "PLATFORMS", "MIRROR", "RANK", "COUNTRY", "KM", "SCORE"], rows),
    ...(omittedLayers > 0 ? [`and ${omittedLayers} more layers`] : []),
    ...attributions.map(({ text, url }) => `${text}, ${url}`),
  ].join("\n");
}

function placeOf({ country, distanceKm }: { country: string; distanceKm?: number }): [string, string | number] {
  return [country, distanceKm ?? "?"];
}
