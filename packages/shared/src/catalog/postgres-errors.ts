import pg from "pg";
import { messageOf, NearlayerError } from "../errors.ts";

const GONE = "the server is down, restarting or out of reach; connections are made anew by themselves once it is back";
const LOGIN = "give the password in PGPASSWORD or in ~/.pgpass (mode 0600), and look at pg_hba.conf";
const SLOW = "another process holds the catalog's turn to write, or the server is overloaded: see pg_stat_activity";

/**
 * What has to do with the server and its settings, and not with us, by SQLSTATE or by its class of two characters:
 * https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const EXPLANATIONS: Readonly<Record<string, readonly [what: string, hint: string]>> = {
  "08": ["is out of reach", GONE],
  "57P": ["is out of reach", GONE],
  "53300": ["has no connection free", "raise max_connections, or run fewer instances: each takes up to five"],
  "28": ["refuses the login", LOGIN],
  "3D000": ["does not exist", "make the database: createdb --owner=USER DATABASE"],
  "42501": ["may not be used", "let the role own the database: alter database NAME owner to ROLE"],
  "25006": ["cannot be written", "this is a standby: name the primary"],
  "55P03": ["is busy", SLOW],
  "57014": ["took too long", SLOW],
  "40": ["is busy", SLOW],
};

/** Turns an error of `pg` into one that a user can do something about; what is our own bug stays as it is. */
export function explainPostgresError(error: unknown, location: string): unknown {
  if (error instanceof NearlayerError || !(error instanceof Error)) return error;
  if (error instanceof pg.DatabaseError) {
    const { code = "" } = error;
    if (code === "53100") {
      return new NearlayerError("DISK_FULL", `catalog ${location}: ${messageOf(error)}`, {
        cause: error,
        hint: "the disk of the PostgreSQL server is full; make room there and run it again",
      });
    }
    const explained = EXPLANATIONS[code] ?? EXPLANATIONS[code.slice(0, 3)] ?? EXPLANATIONS[code.slice(0, 2)];
    return explained === undefined ? error : failed(explained, error, location);
  }
  // A value that cannot be sent is our bug. All else that is no answer of the server is about the way to it.
  if (error instanceof TypeError || error instanceof RangeError) return error;
  // Without a password `pg` gives up by itself, in the middle of the exchange.
  if (error.message.startsWith("SASL")) return failed(["refuses the login", LOGIN], error, location);
  return failed(["is out of reach", GONE], error, location);
}

function failed([what, hint]: readonly [string, string], cause: Error, location: string): NearlayerError {
  return new NearlayerError("CATALOG_FAILED", `catalog ${location} ${what}: ${messageOf(cause)}`, { cause, hint });
}
