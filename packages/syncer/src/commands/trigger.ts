import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type EventRow, readEvents } from "@nearlayer/shared/catalog/event-list";
import { type EventRecord, recordEvents } from "@nearlayer/shared/catalog/events";
import { type Catalog, openCatalog } from "@nearlayer/shared/catalog/open";
import type { Config } from "@nearlayer/shared/config/schema";
import { NearlayerError } from "@nearlayer/shared/errors";
import type { Reference } from "@nearlayer/shared/reference";
import { createFilters } from "../source/filters.ts";
import type { Run } from "./run.ts";
import { requireSource } from "./source.ts";

/** An event that was handed over, as far as it has come. */
export type Triggered = Pick<EventRow, "id" | "repository" | "tag" | "state" | "reason">;

export interface TriggerResult {
  readonly events: readonly Triggered[];
}

/** How often it is looked whether an event is done, and after how long without a change somebody is told, milliseconds. */
const POLL_MS = 200;
const STILL_WAITING_MS = 10_000;

/**
 * Hands over what is to be synced: written down, so that `syncer listen` does it, now or when it runs again. With `wait`,
 * only returns when all of it is done, parked or dropped. Throws USAGE for what the configuration leaves out.
 */
export async function trigger(
  config: Config,
  references: readonly Reference[],
  { wait = false }: { wait?: boolean },
  run: Run,
): Promise<TriggerResult> {
  const records = recordsOf(config, references);
  const catalog = await openCatalog(config.catalog);
  try {
    const ids = await recordEvents(catalog, records, new Date());
    if (!wait) return { events: await readEvents(catalog, ids) };
    run.progress.phase("waiting for `syncer listen`");
    return { events: await untilSettled(catalog, ids, run) };
  } finally {
    await catalog.destroy();
  }
}

function recordsOf(config: Config, references: readonly Reference[]): EventRecord[] {
  const filters = createFilters(requireSource(config));
  const key = randomUUID();
  return references.map(({ repository, tag, digest }, part) => {
    if (digest !== undefined) throw new NearlayerError("USAGE", `${repository}@${digest}: a sync is by tag`);
    if (!filters.repository(repository)) {
      const hint = "see source.repositories and source.exclude";
      throw new NearlayerError("USAGE", `the configuration leaves out ${repository}`, { hint });
    }
    const wanted = { repository, ...(tag === undefined ? {} : { tag }), optional: false };
    return { source: "trigger", key, part, topic: "trigger", body: undefined, wanted };
  });
}

async function untilSettled(catalog: Catalog, ids: readonly number[], run: Run): Promise<EventRow[]> {
  const started = Date.now();
  let isTold = false;
  for (;;) {
    run.signal.throwIfAborted();
    const events = await readEvents(catalog, ids);
    if (events.every(({ state }) => state !== "waiting")) return events;
    if (!isTold && Date.now() - started > STILL_WAITING_MS && events.every(({ attempts }) => attempts === 0)) {
      isTold = true;
      console.error("still waiting: is `syncer listen` running?");
    }
    await sleep(POLL_MS, undefined, { signal: run.signal }).catch(() => undefined);
  }
}
