import type { AppliedTransition } from "@nearlayer/shared/catalog/mirror-states";
import type { Catalog } from "@nearlayer/shared/catalog/open";
import type { Logger } from "@nearlayer/shared/log";
import type { Network } from "../mirrors/network.ts";
import type { Gather } from "./gather.ts";
import type { Journal } from "./journal.ts";
import type { Share } from "./share.ts";
import type { Travels } from "./travels.ts";
import type { TurnMeans } from "./turn.ts";

export interface WriterDeps {
  readonly catalog: Catalog;
  readonly network: Network;
  readonly newest: TurnMeans["newest"];
  readonly journal: Journal;
  readonly gather: Gather;
  readonly travels: Travels;
  readonly share: Share;
  /** Epoch milliseconds by the clock of the catalog's server. */
  readonly databaseTime: () => number;
  /** Brings the network in line with the catalog, where states have changed. */
  readonly refresh: () => Promise<void>;
  readonly log: Logger;
  /** Told of each change of state that this instance has brought about. */
  readonly onChange?: ((change: AppliedTransition) => void) | undefined;
}

/** Writes what the crawler has seen into the catalog. */
export interface Writer {
  /** A mirror may have come further: with the next write it is looked how generations travel. */
  noteMove(): void;
  /** Resolves when all that was seen until now is written down; one write goes after the other, so that nothing is twice. */
  write(withHistory: boolean): Promise<void>;
}

export function createWriter(deps: WriterDeps): Writer {
  const { catalog, network, newest, journal, gather, travels, share, databaseTime, refresh, log } = deps;
  let hasMoved = true;
  let last: Promise<void> = Promise.resolve();

  async function writeDown(withHistory: boolean): Promise<void> {
    gather.flush();
    if (hasMoved) {
      hasMoved = false;
      journal.propagated(await travels.look(network.mirrors(), newest(), databaseTime()));
    }
    if (journal.isEmpty() && !withHistory) return;
    const applied = await journal.flush(catalog, { skew: share.skew(), withHistory });
    if (applied === undefined) return;
    for (const change of applied) {
      const { name: mirror, was, to, reason } = change;
      log[to === "active" ? "info" : "warn"]({ mirror, from: was, to, reason }, "mirror changes its state");
      deps.onChange?.(change);
    }
    await refresh();
  }

  return {
    noteMove() {
      hasMoved = true;
    },
    write(withHistory) {
      const next = last.then(() => writeDown(withHistory));
      last = next.catch(() => undefined);
      return next;
    },
  };
}
