import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import type { SqliteDatabase, SqliteStatement } from "kysely";
import { explainSqliteError } from "./sqlite-errors.ts";

/** How long a writer waits for another process's transaction before it gives up. */
const BUSY_TIMEOUT_MS = 30_000;

/** How many prepared statements are kept: all that the programs have, and a bound for lists of changing length. */
const MAX_STATEMENTS = 200;

const PRAGMAS = `
  -- Readers never wait for the writer, nor the writer for them.
  pragma journal_mode = wal;
  -- What is committed survives a power failure.
  pragma synchronous = full;
  pragma foreign_keys = on;
  -- A reader that stayed long lets the WAL grow; it is cut back to this afterwards.
  pragma journal_size_limit = 67108864;
  -- In KiB, and only as far as it is used: the upper levels of the indexes of a million blobs.
  pragma cache_size = -16384;
`;

/** An open SQLite file, with the small interface that Kysely asks for (that of better-sqlite3). */
export interface SqliteFile extends SqliteDatabase {
  /** Is a transaction open? SQLite ends one by itself when the disk is full. */
  isTransaction(): boolean;
}

/** Throws CATALOG_FAILED or DISK_FULL, as every statement does. */
export function openSqliteFile(file: string): SqliteFile {
  const explained = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw explainSqliteError(error, file);
    }
  };
  mkdirSync(dirname(file), { recursive: true });
  const database = explained(() => new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS }));
  try {
    explained(() => database.exec(PRAGMAS));
  } catch (error) {
    database.close();
    throw error;
  }
  const prepare = (sql: string): SqliteStatement => {
    const statement = database.prepare(sql);
    const values = (parameters: readonly unknown[]) => parameters as SQLInputValue[];
    return {
      reader: statement.columns().length > 0,
      all: (parameters) => explained(() => statement.all(...values(parameters))),
      run: (parameters) => explained(() => statement.run(...values(parameters))),
      // Rows are taken one by one, and the same statement may run meanwhile: it gets one of its own.
      iterate: (parameters) => explained(() => database.prepare(sql).iterate(...values(parameters))),
    };
  };
  const statements = new Map<string, SqliteStatement>();
  return {
    isTransaction: () => database.isTransaction,
    close: () => database.close(),
    prepare(sql) {
      const known = statements.get(sql);
      const statement = known ?? explained(() => prepare(sql));
      // The map is in the order of last use: what was not used for longest goes first.
      statements.delete(sql);
      statements.set(sql, statement);
      if (statements.size > MAX_STATEMENTS) statements.delete(statements.keys().next().value ?? "");
      return statement;
    },
  };
}
