import { isPostgres } from "../config/load.ts";
import { NearlayerError } from "../errors.ts";

/**
 * Where a catalog is, as it may be shown to people: a file's path, or the URL of a PostgreSQL database with the
 * password and the parameters taken out, since those can hold secrets too.
 */
export function describeLocation(location: string): string {
  if (!isPostgres(location)) return location;
  const url = parsePostgresUrl(location);
  const user = url.username === "" ? "" : `${url.username}${url.password === "" ? "" : ":***"}@`;
  // A socket's folder, say: it counts more than what stands before the path.
  return `postgres://${user}${url.searchParams.get("host") ?? url.host}${url.pathname}`;
}

/** Throws CATALOG_FAILED, without a word of the text: a password may be in it. */
export function parsePostgresUrl(location: string): URL {
  // `postgres://user@/name?host=/run/postgresql` is good for libpq and no URL for anybody else.
  const url = URL.parse(location) ?? URL.parse(location.replace("@/", "@localhost/"));
  if (url !== null) return url;
  throw new NearlayerError(
    "CATALOG_FAILED",
    "the catalog's PostgreSQL URL cannot be read (it is not shown: it may hold a password)",
    {
      hint: "write postgres://USER@HOST:PORT/DATABASE, with special characters of the password percent-encoded",
    },
  );
}
