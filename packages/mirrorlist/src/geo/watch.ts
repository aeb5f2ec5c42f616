import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "@nearlayer/shared/config/schema";
import { messageOf } from "@nearlayer/shared/errors";
import type { Logger } from "@nearlayer/shared/log";
import type { Geo } from "./geo.ts";
import { attributionsOf, createLocate, type Database, databaseFiles, openDatabase, stampOf } from "./mmdb.ts";

/** A geo that follows its files. */
export interface WatchedGeo extends Geo, AsyncDisposable {
  /** Looks now whether a file has changed; the answer is whether a new one is in use. */
  refresh(): Promise<boolean>;
  /** Goes over to other files. Throws CONFIG_INVALID when one cannot be read, and nothing has changed then. */
  replace(paths: Config["mirrorlist"]["geoip"]): Promise<void>;
}

/** How often the files are looked at: three `stat` are nothing, and the data is of months. */
const EVERY_MS = 10_000;

/**
 * Opens the databases, and each again when its file has changed: another inode, size or time. The new one takes the
 * place of the old one in one step, once it has been read whole; one that cannot be read is logged, and the old one stays.
 * Throws CONFIG_INVALID when one cannot be read at the start.
 *
 * Not maxmind's own `watchForUpdates`: it throws into nowhere, which ends the process, when the new file is broken, and
 * has no end.
 */
export async function watchMmdbGeo(
  paths: Config["mirrorlist"]["geoip"],
  log: Logger,
  everyMs = EVERY_MS,
): Promise<WatchedGeo> {
  let databases: readonly Database[] = await Promise.all(databaseFiles(paths).map(openDatabase));
  let attributions = attributionsOf(databases);
  let locate = createLocate(databases);
  /** The stamps of files that could not be read, so that each is complained of once. */
  const broken = new Map<string, string>();

  async function newer(database: Database): Promise<Database> {
    const { path } = database;
    const stamp = await stampOf(path).catch(() => "not there");
    if (stamp === database.stamp || stamp === broken.get(path)) return database;
    try {
      const opened = await openDatabase(path);
      broken.delete(path);
      log.info({ path }, "a geoip database has changed: the new one is used");
      return opened;
    } catch (error) {
      broken.set(path, stamp);
      log.error(
        { path, reason: messageOf(error) },
        "a geoip database has changed and cannot be read: the old one is used",
      );
      return database;
    }
  }

  function use(next: readonly Database[]): void {
    databases = next;
    attributions = attributionsOf(next);
    locate = createLocate(next);
  }

  async function refresh(): Promise<boolean> {
    const before = databases;
    const next = await Promise.all(before.map(newer));
    // They may have been replaced meanwhile.
    const changed = databases === before && next.some((database, index) => database !== before[index]);
    if (changed) use(next);
    return changed;
  }

  const stop = new AbortController();
  const done = (async () => {
    while (!stop.signal.aborted) {
      await sleep(everyMs, undefined, { signal: stop.signal, ref: false }).catch(() => undefined);
      if (!stop.signal.aborted) await refresh();
    }
  })();
  return {
    locate: (address) => locate(address),
    get attributions() {
      return attributions;
    },
    refresh,
    async replace(next) {
      use(await Promise.all(databaseFiles(next).map(openDatabase)));
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await done;
    },
  };
}
