import type { EventRow } from "@nearlayer/shared/catalog/event-list";
import type { EventState } from "@nearlayer/shared/catalog/events";
import { NearlayerError } from "@nearlayer/shared/errors";
import { EXIT } from "@nearlayer/shared/exit";
import type { EventChanges, EventChoice, EventList, ShownEvent } from "../commands/events.ts";
import { type Cli, examples } from "./command.ts";
import { columns } from "./text.ts";

const STATES = ["waiting", "parked", "done", "dropped"] as const satisfies readonly EventState[];

const journal = () => import("../commands/events.ts");

export function registerEvents({ program, config, show, end }: Cli): void {
  const events = program
    .command("events")
    .description("look at the journal of events, and work on it")
    .addHelpText("after", examples("syncer events list", "syncer events help list    examples for each"));

  events
    .command("list")
    .description("what waits for its sync, and what is parked; the newest first")
    .option("--state <states...>", `only these: ${STATES.join(", ")}`)
    .option("--all", "what is done or was dropped, too")
    .option("--limit <number>", "how many at the most", parseNumber, 100)
    .addHelpText(
      "after",
      examples(
        "syncer events list",
        "syncer events list --state parked",
        "syncer events list --json | jq -r '.events[] | \"\\(.id) \\(.reason)\"'",
      ),
    )
    .action(async ({ state, all, limit }: { state?: string[]; all?: boolean; limit: number }) => {
      const states = state === undefined ? STATES.slice(0, all ? undefined : 2) : state.map(parseState);
      const { listJournal } = await journal();
      show(await listJournal(await config(), { states, limit }), summarizeList);
    });

  events
    .command("show")
    .description("one event with all that is known of it, its message too")
    .argument("<id>", "its number, as the list has it", parseNumber)
    .addHelpText("after", examples("syncer events show 42", "syncer events show 42 --json | jq -r .message | jq"))
    .action(async (id: number) => {
      const { showEvent } = await journal();
      show(await showEvent(await config(), id), summarizeEvent);
    });

  events
    .command("retry")
    .description("have events wait again; what could not be read is read again, by the rules as they are now")
    .argument("[ids...]", "their numbers")
    .option("--parked", "all that are parked")
    .addHelpText("after", examples("syncer events retry 42 43", "syncer events retry --parked"))
    .action(async (ids: string[], options: { parked?: boolean }) => {
      const { retryEvents } = await journal();
      finish(await retryEvents(await config(), chosen(ids, options)), "waits again");
    });

  events
    .command("drop")
    .description("take events out of the queue; sent again, they do not come back")
    .argument("[ids...]", "their numbers")
    .option("--parked", "all that are parked")
    .addHelpText("after", examples("syncer events drop 42", "syncer events drop --parked"))
    .action(async (ids: string[], options: { parked?: boolean }) => {
      const { dropFromJournal } = await journal();
      finish(await dropFromJournal(await config(), chosen(ids, options)), "dropped");
    });

  function finish(changes: EventChanges, what: string): void {
    show(changes, ({ events: changed, failures }) =>
      [
        ...changed.map((event) => `${event.id}: ${what}: ${nameOf(event)}`),
        ...failures.map(({ id, message }) => `failed: ${id}: ${message}`),
        ...(changed.length + failures.length === 0 ? ["there is nothing to do"] : []),
      ].join("\n"),
    );
    end(changes.failures.length > 0 ? EXIT.SOME_FAILED : EXIT.OK);
  }
}

function chosen(ids: readonly string[], { parked }: { parked?: boolean }): EventChoice {
  if (parked && ids.length === 0) return "parked";
  if (!parked && ids.length > 0) return { ids: ids.map(parseNumber) };
  throw new NearlayerError("USAGE", "which events? Give their numbers, or --parked for all that are parked", {
    hint: "`syncer events list` shows them",
  });
}

function summarizeList({ events, waiting, parked }: EventList): string {
  const total = `${waiting} waiting, ${parked} parked`;
  if (events.length === 0) return total;
  const rows = events.map((event) => [
    String(event.id),
    event.state,
    event.receivedAt.slice(0, 19),
    event.source,
    nameOf(event),
    event.attempts === 0 ? "" : `${event.attempts}×`,
    event.reason ?? "",
  ]);
  return [columns([["id", "state", "received", "source", "what", "tried", "why"], ...rows], [0]), total].join("\n");
}

function summarizeEvent({ message, ...event }: ShownEvent): string {
  const lines = Object.entries(event).map(([name, value]) => [name, value === null ? "–" : String(value)]);
  return [columns(lines), ...(message === null ? [] : ["", printable(message)])].join("\n");
}

/** A message is other people's: nothing in it works on the terminal. */
function printable(message: string): string {
  let text = message;
  try {
    text = JSON.stringify(JSON.parse(message), undefined, 2);
  } catch {
    // Shown as it came.
  }
  return text.replace(/[^\P{Cc}\n\t]/gu, "?");
}

const nameOf = ({ repository, tag, topic }: EventRow) => {
  if (repository === null) return `(${topic})`;
  return tag === null ? repository : `${repository}:${tag}`;
};

function parseState(text: string): EventState {
  const state = STATES.find((known) => known === text);
  if (state !== undefined) return state;
  throw new NearlayerError("USAGE", `not a state: ${text}`, { hint: `there are ${STATES.join(", ")}` });
}

function parseNumber(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new NearlayerError("USAGE", `not a number: ${text}`);
}
