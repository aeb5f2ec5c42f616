import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  SqliteAdapter,
  SqliteDialect,
  SqliteDriver,
  type TransactionSettings,
} from "kysely";
import { openSqliteFile, type SqliteFile } from "./sqlite-database.ts";

/**
 * Kysely's SQLite dialect over `node:sqlite`, which comes with Node: nothing to compile and nothing to download. Writers
 * take turns, as `transaction.ts` says.
 */
export function sqliteDialect(file: string): Dialect {
  const dialect = new SqliteDialect({ database: async () => openSqliteFile(file) });
  return {
    createDriver: () => new TurnTakingDriver(() => openSqliteFile(file)),
    createAdapter: () => new TransactionalAdapter(),
    createQueryCompiler: () => dialect.createQueryCompiler(),
    createIntrospector: (db) => dialect.createIntrospector(db),
  };
}

/** SQLite's DDL is transactional, though Kysely does not count on it: a killed migration leaves nothing behind. */
class TransactionalAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

class TurnTakingDriver extends SqliteDriver {
  #file: SqliteFile | undefined;

  constructor(open: () => SqliteFile) {
    super({
      database: async () => {
        this.#file = open();
        return this.#file;
      },
    });
  }

  /**
   * A writer takes its turn at the start: one that reads first and writes later would fail, without waiting, when
   * another wrote in between (SQLITE_BUSY_SNAPSHOT).
   */
  override async beginTransaction(connection: DatabaseConnection, settings?: TransactionSettings): Promise<void> {
    const begin = settings?.accessMode === "read only" ? "begin" : "begin immediate";
    await connection.executeQuery(CompiledQuery.raw(begin));
  }

  /** After some errors SQLite has rolled back by itself; to be told so must not hide what went wrong. */
  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    if (this.#file?.isTransaction()) await super.rollbackTransaction(connection);
  }
}
