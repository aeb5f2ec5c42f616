import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  SelectQueryNode,
  SqliteAdapter,
  SqliteDialect,
  SqliteDriver,
  type TransactionSettings,
} from "kysely";
import { openSqliteFile, type SqliteFile } from "./sqlite-database.ts";
import { takeTurn } from "./sqlite-turns.ts";

/**
 * Kysely's SQLite dialect over `node:sqlite`, which comes with Node: nothing to compile and nothing to download. Writers
 * take turns, as `transaction.ts` says.
 */
export function sqliteDialect(file: string): Dialect {
  const dialect = new SqliteDialect({ database: async () => openSqliteFile(file) });
  return {
    createDriver: () => new TurnTakingDriver(file),
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

/** Before the first write, the connection's turn among all of this process is awaited; it ends when the connection is let go. */
class TurnTakingDriver extends SqliteDriver {
  readonly #name: string;
  #file: SqliteFile | undefined;
  #connection: DatabaseConnection | undefined;
  #isReading = false;
  #endTurn: (() => void) | undefined;

  constructor(name: string) {
    super({
      database: async () => {
        this.#file = openSqliteFile(name);
        return this.#file;
      },
    });
    this.#name = name;
  }

  override async acquireConnection(): Promise<DatabaseConnection> {
    this.#connection ??= this.#takingTurns(await super.acquireConnection());
    return this.#connection;
  }

  #takingTurns(connection: DatabaseConnection): DatabaseConnection {
    return {
      executeQuery: async (query, options) => {
        if (!this.#isReading && !SelectQueryNode.is(query.query)) this.#endTurn ??= await takeTurn(this.#name);
        return connection.executeQuery(query, options);
      },
      streamQuery: (query, chunkSize, options) => connection.streamQuery(query, chunkSize, options),
    };
  }

  override async releaseConnection(): Promise<void> {
    this.#isReading = false;
    this.#endTurn?.();
    this.#endTurn = undefined;
  }

  /**
   * A writer takes its turn at the start: one that reads first and writes later would fail, without waiting, when
   * another wrote in between (SQLITE_BUSY_SNAPSHOT).
   */
  override async beginTransaction(connection: DatabaseConnection, settings?: TransactionSettings): Promise<void> {
    this.#isReading = settings?.accessMode === "read only";
    await connection.executeQuery(CompiledQuery.raw(this.#isReading ? "begin" : "begin immediate"));
  }

  /** After some errors SQLite has rolled back by itself; to be told so must not hide what went wrong. */
  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    if (this.#file?.isTransaction()) await super.rollbackTransaction(connection);
  }
}
