import { type ColumnDefinitionBuilder, type Kysely, PostgresAdapter, sql } from "kysely";

/**
 * What differs between the two databases: the word for bytes; that PostgreSQL would compare and sort text by the rules
 * of some language; and that SQLite keeps a table and its primary key apart, all text twice, unless it is told to keep
 * `small` rows in the key itself; and how an `id` counts up by itself. Everything else is the same.
 */
export function typesOf(db: Kysely<unknown>) {
  const isPostgres = db.getExecutor().adapter instanceof PostgresAdapter;
  return isPostgres
    ? {
        bytes: sql`bytea`,
        text: sql`text collate "C"`,
        small: sql``,
        id: { type: "bigserial" as const, column: (c: ColumnDefinitionBuilder) => c.primaryKey() },
      }
    : {
        bytes: sql`blob`,
        text: sql`text`,
        small: sql`without rowid`,
        id: { type: "integer" as const, column: (c: ColumnDefinitionBuilder) => c.primaryKey().autoIncrement() },
      };
}
