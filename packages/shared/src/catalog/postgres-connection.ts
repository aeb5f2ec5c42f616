import pg from "pg";
import { parseIntoClientConfig } from "pg-connection-string";
import pgpass from "pgpass";

/**
 * How to connect to what a URL names. What the URL does not say comes from the PG… variables, as with every client of
 * PostgreSQL; a password also from ~/.pgpass or the file that PGPASSFILE names.
 */
export function connectionOptions(location: string): pg.ClientConfig {
  const named = parseIntoClientConfig(location);
  const password = named.password || process.env.PGPASSWORD;
  return {
    ...named,
    // `pg` reads that file itself, but with a deprecation warning on everybody's stderr.
    password: password === undefined ? readPassword : password,
    keepAlive: true,
    application_name: named.application_name ?? "nearlayer",
    types: createTypes(),
  };
}

/** `pg` hands over what it is about to connect with, which its types do not say. */
function readPassword(connection: object = {}): Promise<string> {
  return new Promise((resolve) => {
    pgpass(connection, (password) => resolve(password ?? ""));
  });
}

const { INT8, NUMERIC, BYTEA } = pg.types.builtins;

/** The same values as SQLite has: numbers for bigint, plain Uint8Array for bytes. */
function createTypes(): pg.TypeOverrides {
  const types = new pg.TypeOverrides();
  types.setTypeParser(INT8, toNumber);
  types.setTypeParser(NUMERIC, toNumber);
  const parseBytes = pg.types.getTypeParser(BYTEA) as (text: string) => Buffer;
  types.setTypeParser(BYTEA, (text) => {
    const { buffer, byteOffset, byteLength } = parseBytes(text);
    return new Uint8Array(buffer, byteOffset, byteLength);
  });
  return types;
}

/** As `node:sqlite` has it: a number that would not be exact is an error. */
function toNumber(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) || text.includes(".")) return value;
  throw new RangeError(`the number ${text} of the catalog is too large`);
}
