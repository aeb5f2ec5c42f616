import { readFile } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { program } from "./nearlayer.ts";
import { type Daemon, startDaemon } from "./process/daemon.ts";

/** The real `syncer listen`. */
export interface Listener extends Daemon {
  /** Samples of `/metrics` by their name and labels. */
  metrics(): Promise<Record<string, number>>;
  log(): Promise<readonly Readonly<Record<string, unknown>>[]>;
}

/** Starts `syncer listen` with a configuration whose `events.listen` is that address, and waits until it answers there. */
export async function startListener(
  config: string,
  url: string,
  dir: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Listener> {
  const daemon = await startDaemon({
    name: "listener",
    dir,
    command: [...program("syncer"), "listen", "--config", config],
    env: { NEARLAYER_LOG: "info", ...env },
    ready: async () => (await fetch(`${url}/healthz`)).ok,
  });
  return {
    ...daemon,
    async metrics() {
      const lines = (await (await fetch(`${url}/metrics`)).text()).split("\n");
      const samples = lines.filter((line) => line !== "" && !line.startsWith("#"));
      return Object.fromEntries(
        samples.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]),
      );
    },
    async log() {
      const lines = (await readFile(daemon.logFile, "utf8")).split("\n");
      return lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line) as Record<string, unknown>);
    },
  };
}

/** A row of the journal, as far as tests look at it. */
export interface JournalRow {
  readonly source: string;
  readonly key: string;
  readonly state: string;
  readonly repository: string | null;
  readonly tag: string | null;
  readonly reason: string | null;
  readonly attempts: number;
}

/** What is in the journal of a catalog in a file. */
export function readJournal(catalog: string): JournalRow[] {
  using database = new DatabaseSync(catalog, { readOnly: true });
  database.exec("pragma busy_timeout = 10000");
  const rows = database
    .prepare("select source, key, state, repository, tag, reason, attempts from event order by id")
    .all();
  return rows as unknown as JournalRow[];
}
