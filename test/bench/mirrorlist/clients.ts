import { openMmdbGeo } from "@nearlayer/mirrorlist/geo/mmdb";
import { parseAddress } from "@nearlayer/mirrorlist/selection/client";
import { createRandom } from "@nearlayer/mirrorlist/testing/random";

/** `192.0.2.`, for as many prefixes that somebody in the world has, by the installed country database. */
export async function clientPrefixes(count: number): Promise<string[]> {
  const geo = await openMmdbGeo({});
  const random = createRandom(count);
  const prefixes = new Set<string>();
  while (prefixes.size < count) {
    const prefix = `${1 + random(222)}.${random(256)}.${random(256)}.`;
    const address = parseAddress(`${prefix}1`);
    if (address !== undefined && geo.locate(address).country !== undefined) prefixes.add(prefix);
  }
  return [...prefixes];
}
