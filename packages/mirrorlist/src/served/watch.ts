import type { Catalog } from "@nearlayer/shared/catalog/open";
import { watchRevision } from "@nearlayer/shared/catalog/watch";
import { messageOf } from "@nearlayer/shared/errors";
import type { Logger } from "@nearlayer/shared/log";
import { readSnapshot } from "./read.ts";
import { EMPTY_SNAPSHOT, type Snapshot } from "./snapshot.ts";

/** The newest snapshot that could be read, kept up to date. */
export interface Watch extends AsyncDisposable {
  current(): Snapshot;
  /** Why the catalog could not be read when it was last tried; pulls go on from memory meanwhile. */
  failure(): string | undefined;
  /** The same for machines. Times are epoch milliseconds. */
  health(): CatalogHealth;
}

/** Whether the catalog can be read, since when that is so, and when the snapshot was taken that is served. */
export interface CatalogHealth {
  readonly isReadable: boolean;
  readonly since: number;
  readonly snapshotAt: number;
}

/**
 * Reads the catalog, and again whenever its revision changes; a new snapshot takes the place of the old one in one
 * step. The first has been read when this resolves. `catalog` should be a connection of its own: a read is one
 * transaction, and what else shares the connection waits for it.
 */
export async function watchCatalog(catalog: Catalog, location: string, log: Logger): Promise<Watch> {
  let snapshot = await readSnapshot(catalog, EMPTY_SNAPSHOT);
  let failure: string | undefined;
  let since = Date.now();
  let snapshotAt = since;
  const watch = watchRevision(catalog, location, {
    after: snapshot.revision,
    onChange: async () => {
      snapshot = await readSnapshot(catalog, snapshot);
      snapshotAt = Date.now();
    },
    onState: (state) => {
      since = Date.now();
      failure = state.ok ? undefined : messageOf(state.error);
      if (state.ok) log.info("the catalog can be read again");
      else log.error({ err: state.error }, "the catalog cannot be read: going on from memory");
    },
  });
  return {
    current: () => snapshot,
    failure: () => failure,
    health: () => ({ isReadable: failure === undefined, since, snapshotAt }),
    [Symbol.asyncDispose]: () => watch[Symbol.asyncDispose](),
  };
}
