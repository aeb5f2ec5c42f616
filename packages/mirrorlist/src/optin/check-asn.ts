import { lookup } from "node:dns/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { DeclaredMirror } from "@nearlayer/shared/config/schema";
import type { Geo } from "../geo/geo.ts";
import { parseAddress } from "../selection/client.ts";
import { invalid, type Refusal } from "./refusal.ts";

/** Whether a mirror is in the autonomous system that it names: the refusal when it is known not to be. */
export type CheckAsn = (mirror: DeclaredMirror) => Promise<Refusal | undefined>;

const RESOLVE_MS = 3000;

/**
 * A mirror's clients are those of its autonomous system first, so that it cannot be any: where there is a database of
 * them, one of the mirror's addresses must be in it. A name that does not resolve is for the crawler to find.
 */
export function createCheckAsn(geo: Pick<Geo, "locate">): CheckAsn {
  return async ({ asn, url }) => {
    if (asn === undefined) return undefined;
    const host = new URL(url).hostname.replace(/^\[|\]$/g, "");
    const found = new Map<number, string>();
    for (const text of await addressesOf(host)) {
      const address = parseAddress(text);
      const place = address && geo.locate(address);
      if (place?.asn !== undefined) found.set(place.asn, text);
    }
    if (found.size === 0 || found.has(asn)) return undefined;
    const [[other, address] = []] = found;
    const where = address === host ? host : `${host} (${address})`;
    return invalid([`asn: AS${asn} is declared, and ${where} is in AS${other}`]);
  };
}

async function addressesOf(host: string): Promise<string[]> {
  const resolved = lookup(host, { all: true }).then(
    (addresses) => addresses.map(({ address }) => address),
    () => [],
  );
  return Promise.race([resolved, sleep(RESOLVE_MS, [], { ref: false })]);
}
