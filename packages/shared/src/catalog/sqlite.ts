import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { type Dialect, type SqliteDatabase, SqliteDialect, type SqliteStatement } from "kysely";

/** How long a writer waits for another process's transaction before it gives up. */
const BUSY_TIMEOUT_MS = 30_000;

/**
 * Kysely's SQLite dialect over `node:sqlite`, which comes with Node: nothing to compile and nothing to download.
 * Kysely asks for the small interface of better-sqlite3; this is that interface.
 */
export function sqliteDialect(file: string): Dialect {
  return new SqliteDialect({ database: async () => openDatabase(file) });
}

function openDatabase(file: string): SqliteDatabase {
  mkdirSync(dirname(file), { recursive: true });
  const database = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS });
  // WAL: readers never wait for the writer. FULL: what is committed survives a power failure.
  database.exec("pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on");
  return {
    close: () => database.close(),
    prepare(sql): SqliteStatement {
      const statement = database.prepare(sql);
      const values = (parameters: readonly unknown[]) => parameters as SQLInputValue[];
      return {
        reader: statement.columns().length > 0,
        all: (parameters) => statement.all(...values(parameters)),
        run: (parameters) => statement.run(...values(parameters)),
        iterate: (parameters) => statement.iterate(...values(parameters)),
      };
    },
  };
}
