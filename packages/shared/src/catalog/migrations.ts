import type { Migration } from "kysely/migration";
import { catalog } from "./migrations/0001-catalog.ts";
import { network } from "./migrations/0002-network.ts";
import { events } from "./migrations/0003-events.ts";
import { eventDigest } from "./migrations/0004-event-digest.ts";

/** Versioned changes of the schema, in the order of their names. A landed one is never edited: add the next. */
export const MIGRATIONS: Record<string, Migration> = {
  "0001-catalog": catalog,
  "0002-network": network,
  "0003-events": events,
  "0004-event-digest": eventDigest,
};
