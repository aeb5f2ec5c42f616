import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, type TestContext } from "vitest";
import { type Catalog, openCatalog } from "../open.ts";
import { crawlContract } from "./crawl.contract.ts";
import { eventsContract } from "./events.contract.ts";
import { generationsContract } from "./generations.contract.ts";
import { imagesContract } from "./images.contract.ts";
import { knownContract } from "./known.contract.ts";
import { listingContract } from "./listing.contract.ts";
import { migrationsContract } from "./migrations.contract.ts";
import { mirrorStatesContract } from "./mirror-states.contract.ts";
import { mirrorsContract } from "./mirrors.contract.ts";
import { networkViewContract } from "./network-view.contract.ts";
import { noticesContract } from "./notices.contract.ts";
import { processesContract } from "./processes.contract.ts";
import { removalContract } from "./removal.contract.ts";
import { servedContract } from "./served.contract.ts";
import { watchContract } from "./watch.contract.ts";

/** A place for a catalog that is not there yet; taken away when it is disposed of. */
export interface CatalogPlace extends AsyncDisposable {
  readonly location: string;
}

/** What a part of the contract works with: a catalog of its own for each test. */
export interface CatalogFixture {
  readonly location: string;
  readonly catalog: Catalog;
  /** Another connection to the same catalog, as another process has it; closed after the test. */
  open(): Promise<Catalog>;
  /** Starts `writer.ts` on the catalog, in a process of its own that is gone after the test. */
  startWriter(...args: readonly string[]): Writer;
}

/** Another process that works on the catalog. */
export interface Writer {
  /** Resolves with the next line that it prints. */
  nextLine(): Promise<string>;
  kill(): Promise<void>;
  /** Waits for its end. */
  ended(): Promise<{ code: number | null; stderr: string }>;
}

/** A part of the contract: its tests, for a catalog that is there once they run. */
export type ContractPart = (fixture: () => CatalogFixture) => void;

/** All that both databases must do. To add a part, write NAME.contract.ts beside this and list it here. */
const PARTS: Readonly<Record<string, ContractPart>> = {
  migrations: migrationsContract,
  images: imagesContract,
  known: knownContract,
  generations: generationsContract,
  listing: listingContract,
  removal: removalContract,
  served: servedContract,
  mirrors: mirrorsContract,
  "states of mirrors": mirrorStatesContract,
  "the network as it is seen": networkViewContract,
  crawl: crawlContract,
  processes: processesContract,
  watch: watchContract,
  events: eventsContract,
  notices: noticesContract,
};

/** Runs the contract on a database; `newPlace` may skip the test, with a reason. */
export function describeCatalog(database: string, newPlace: (context: TestContext) => Promise<CatalogPlace>): void {
  for (const [name, part] of Object.entries(PARTS)) {
    describe(`the catalog on ${database}: ${name}`, () => {
      let cleanUp = new AsyncDisposableStack();
      let fixture: CatalogFixture | undefined;

      beforeEach(async (context) => {
        cleanUp = new AsyncDisposableStack();
        const { location } = cleanUp.use(await newPlace(context));
        const open = async () => {
          const catalog = await openCatalog(location);
          cleanUp.defer(() => catalog.destroy());
          return catalog;
        };
        const run = (...args: readonly string[]) => {
          const writer = startWriter(location, args);
          cleanUp.defer(() => writer.kill());
          return writer;
        };
        fixture = { location, catalog: await open(), open, startWriter: run };
      });
      afterEach(() => cleanUp.disposeAsync());

      part(() => {
        if (fixture === undefined) throw new Error("the fixture is there in tests only");
        return fixture;
      });
    });
  }
}

function startWriter(location: string, args: readonly string[]): Writer {
  const child = spawn(process.execPath, [`${import.meta.dirname}/writer.ts`, location, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const closed = once(child, "close");
  return {
    async nextLine() {
      const { value, done } = await lines.next();
      if (done) throw new Error(`the writer ended: ${stderr}`);
      return value;
    },
    async kill() {
      child.kill("SIGKILL");
      await closed;
    },
    async ended() {
      const [code] = await closed;
      return { code, stderr };
    },
  };
}
