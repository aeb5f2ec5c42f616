import { type Compilable, sql } from "kysely";
import type { Catalog } from "./open.ts";

/** How many rows are in memory at a time. */
const ROWS = 5000;

/**
 * Reads a long, sorted result from PostgreSQL as one query, piece by piece. Page by page it would look up every row by
 * itself, in an order that is none on the disk: 18 s for 500,000 blobs. As a whole they are read, joined and sorted in 2 s.
 */
export async function* readByCursor<Row>(catalog: Catalog, query: Compilable<Row>): AsyncGenerator<Row[]> {
  const moment = await catalog.startTransaction().setAccessMode("read only").execute();
  try {
    // All of it is going to be read: nothing is gained by a plan that gives the first rows early.
    await sql`set local cursor_tuple_fraction = 1`.execute(moment);
    await sql`declare list no scroll cursor for ${query as never}`.execute(moment);
    for (;;) {
      const { rows } = await sql<Row>`fetch ${sql.lit(ROWS)} from list`.execute(moment);
      if (rows.length === 0) return;
      yield rows;
    }
  } finally {
    await moment.rollback().execute();
  }
}
