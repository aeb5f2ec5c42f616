import {
  dropEvents,
  type EventRow,
  listEvents,
  readEvent,
  readEvents,
  retryEvent,
} from "@nearlayer/shared/catalog/event-list";
import { countEvents, type EventCounts, type EventState } from "@nearlayer/shared/catalog/events";
import { type Catalog, openCatalog } from "@nearlayer/shared/catalog/open";
import { openCatalogToRead } from "@nearlayer/shared/catalog/read";
import type { Config } from "@nearlayer/shared/config/schema";
import { messageOf, NearlayerError } from "@nearlayer/shared/errors";
import { judge } from "../events/rules/judge.ts";
import { completeRules } from "../events/rules/presets.ts";

export interface EventList extends EventCounts {
  readonly events: readonly EventRow[];
}

/** An event with its message as text, where it has one. */
export interface ShownEvent extends EventRow {
  readonly message: string | null;
}

/** What became of events that something was done to. */
export interface EventChanges {
  readonly events: readonly EventRow[];
  readonly failures: readonly { readonly id: number; readonly message: string }[];
}

/** The events to do something to: by their numbers, or all that are parked. */
export type EventChoice = { readonly ids: readonly number[] } | "parked";

export async function listJournal(
  config: Config,
  options: { readonly states: readonly EventState[]; readonly limit: number },
): Promise<EventList> {
  return withCatalog(openCatalogToRead(config.catalog), async (catalog) => ({
    ...(await countEvents(catalog)),
    events: await listEvents(catalog, options),
  }));
}

/** Throws NOT_FOUND. */
export async function showEvent(config: Config, id: number): Promise<ShownEvent> {
  return withCatalog(openCatalogToRead(config.catalog), async (catalog) => {
    const event = await readEvent(catalog, id);
    if (event === undefined) throw noSuchEvent(id);
    const { body, ...row } = event;
    return { ...row, message: body === null ? null : new TextDecoder().decode(body) };
  });
}

/**
 * Has events wait again, as if they had just come. One that could not be read is read again, by the rules as they are now.
 * Those that are done are synced once more.
 */
export async function retryEvents(config: Config, choice: EventChoice): Promise<EventChanges> {
  const rules = completeRules(config.events.rules);
  return withCatalog(openCatalog(config.catalog), (catalog) =>
    change(catalog, choice, async (row) => {
      const now = new Date();
      const wanted = row.repository === null ? await readAgain(catalog, row, rules) : row;
      const { repository, tag } = wanted;
      if (repository === null) return;
      await retryEvent(catalog, row.id, { repository, ...(tag === null ? {} : { tag }), now });
    }),
  );
}

/** Takes events out of the queue. Their keys are kept: sent again, they do not come back. */
export async function dropFromJournal(config: Config, choice: EventChoice): Promise<EventChanges> {
  return withCatalog(openCatalog(config.catalog), (catalog) =>
    change(catalog, choice, async ({ id, state }) => {
      if (state === "done") throw new NearlayerError("USAGE", `event ${id} is done: there is nothing to drop`);
      await dropEvents(catalog, [id], new Date());
    }),
  );
}

async function readAgain(
  catalog: Catalog,
  { id, source, key, topic }: EventRow,
  rules: ReturnType<typeof completeRules>,
): Promise<Pick<EventRow, "repository" | "tag">> {
  const body = (await readEvent(catalog, id))?.body ?? undefined;
  const hint = "`syncer events drop` takes it away; `syncer trigger REPOSITORY` does by hand what it asked for";
  if (body === undefined) throw new NearlayerError("USAGE", `event ${id}: its message was not kept`, { hint });
  const verdict = judge(rules, { source, key, topic, body }, () => true);
  const [wanted] = "records" in verdict ? verdict.records.map((record) => record.wanted) : [];
  if (wanted === undefined) throw new NearlayerError("USAGE", `event ${id}: no rule applies to it`, { hint });
  if ("parked" in wanted) throw new NearlayerError("USAGE", `event ${id}: ${wanted.parked}`, { hint });
  return { repository: wanted.repository, tag: wanted.tag ?? null };
}

async function change(
  catalog: Catalog,
  choice: EventChoice,
  work: (row: EventRow) => Promise<void>,
): Promise<EventChanges> {
  const rows =
    choice === "parked"
      ? await listEvents(catalog, { states: ["parked"], limit: Number.MAX_SAFE_INTEGER })
      : await readEvents(catalog, choice.ids);
  const failures: { id: number; message: string }[] = [];
  if (choice !== "parked") {
    const missing = choice.ids.filter((id) => !rows.some((row) => row.id === id));
    failures.push(...missing.map((id) => ({ id, message: noSuchEvent(id).message })));
  }
  for (const row of rows) {
    try {
      await work(row);
    } catch (error) {
      failures.push({ id: row.id, message: messageOf(error) });
    }
  }
  const failed = new Set(failures.map(({ id }) => id));
  const changed = rows.map(({ id }) => id).filter((id) => !failed.has(id));
  return { events: await readEvents(catalog, changed), failures };
}

const noSuchEvent = (id: number) =>
  new NearlayerError("NOT_FOUND", `there is no event ${id}`, {
    hint: "`syncer events list --all` shows what there is",
  });

async function withCatalog<T>(opening: Promise<Catalog>, work: (catalog: Catalog) => Promise<T>): Promise<T> {
  const catalog = await opening;
  try {
    return await work(catalog);
  } finally {
    await catalog.destroy();
  }
}
