import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  PostgresDialect,
  PostgresDriver,
  type PostgresPool,
  type PostgresPoolClient,
  type TransactionSettings,
} from "kysely";
import pg from "pg";
import { NearlayerError } from "../errors.ts";
import { describeLocation } from "./location.ts";
import { connectionOptions } from "./postgres-connection.ts";
import { explainPostgresError } from "./postgres-errors.ts";

/** Connections of one open catalog: a reader of the whole, a writer, and a few that look something up. */
const MAX_CONNECTIONS = 4;

/** Milliseconds; so that a server that hangs, or a network that swallows packets, is an error and not a silence. */
const LIMITS = {
  connectionTimeoutMillis: 5_000,
  lock_timeout: 30_000,
  statement_timeout: 60_000,
  // The server's answer that the statement took too long comes first, if it can come at all.
  query_timeout: 65_000,
  // A writer that was stopped in mid-transaction must not keep the others waiting for ever.
  idle_in_transaction_session_timeout: 60_000,
};

/** Whose turn it is to write; of our own choosing, the same in every version. */
const WRITER_LOCK = 7_095_404_917_215n;

/**
 * Kysely's PostgreSQL dialect over `pg`, with the same values as SQLite has. `unlimited` is for migrations, which may
 * take as long as they need.
 */
export function postgresDialect(location: string, { unlimited = false } = {}): Dialect {
  const config = { pool: async () => createPool(location, unlimited) };
  const dialect = new PostgresDialect(config);
  return {
    createDriver: () => new TurnTakingDriver(config),
    createAdapter: () => dialect.createAdapter(),
    createQueryCompiler: () => dialect.createQueryCompiler(),
    createIntrospector: (db) => dialect.createIntrospector(db),
  };
}

function createPool(location: string, unlimited: boolean): PostgresPool {
  const shown = describeLocation(location);
  const { connectionTimeoutMillis, ...limits } = LIMITS;
  const pool = new pg.Pool({
    ...connectionOptions(location),
    ...(unlimited ? {} : limits),
    connectionTimeoutMillis,
    max: MAX_CONNECTIONS,
  });
  // Without a listener, a connection that breaks ends the process. Whoever uses it gets the error from the query.
  pool.on("error", () => undefined);
  pool.on("connect", (client) => client.on("error", () => undefined));
  const explained = async <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => {
      throw explainPostgresError(error, shown);
    });
  return {
    options: {},
    end: () => pool.end(),
    async connect() {
      const client = await explained(pool.connect());
      let isLost = false;
      const query = (text: string, values: unknown[]) =>
        explained(client.query(text, values)).catch((error: unknown) => {
          // Nobody knows what such a connection is still at: the next one gets another.
          isLost ||= error instanceof NearlayerError && !(error.cause instanceof pg.DatabaseError);
          throw error;
        });
      return {
        query,
        release: (destroy = false) => client.release(destroy || isLost),
      } as unknown as PostgresPoolClient;
    },
  };
}

/** Writers take turns and readers see one moment, as `transaction.ts` says. */
class TurnTakingDriver extends PostgresDriver {
  override async beginTransaction(connection: DatabaseConnection, settings: TransactionSettings): Promise<void> {
    if (settings.accessMode === "read only") return super.beginTransaction(connection, settings);
    const begin = `start transaction isolation level read committed; select pg_advisory_xact_lock(${WRITER_LOCK})`;
    await connection.executeQuery(CompiledQuery.raw(begin));
  }
}
