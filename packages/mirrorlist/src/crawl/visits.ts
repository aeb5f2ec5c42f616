import type { Logger } from "@nearlayer/shared/log";
import type { Mirror } from "../mirrors/mirror.ts";
import type { Network } from "../mirrors/network.ts";
import type { Probe } from "../mirrors/probe.ts";
import { createPool } from "../pool.ts";
import type { AuditReport } from "./audit-turn.ts";
import { type Auditor, createAuditor } from "./auditor.ts";
import type { Gather } from "./gather.ts";
import type { Journal } from "./journal.ts";
import type { Share } from "./share.ts";
import { platformsToProbe, type TurnMeans, type TurnReport, takeTurn } from "./turn.ts";
import type { Writer } from "./writer.ts";

/** How many mirrors are asked at a time. */
const TURNS = 64;

export interface VisitsDeps {
  readonly means: TurnMeans;
  /** Aborted when it is to end: what is seen after that does not count. */
  readonly signal: AbortSignal;
  readonly network: Network;
  readonly share: Share;
  readonly journal: Journal;
  readonly gather: Gather;
  readonly writer: Writer;
  /** Epoch milliseconds by the clock of the catalog's server. */
  readonly databaseTime: () => number;
  /** Called when a state has changed: that is to be written soon. */
  readonly onNews: () => void;
  readonly log: Logger;
}

/** The turns that are under way, and what they and the audits have seen, on its way into the journal and the memory. */
export interface Visits {
  /** Begins the turn of a mirror whose turn is claimed. */
  begin(mirror: Mirror): Promise<void>;
  underWay(name: string): Promise<void> | undefined;
  isCrawled(mirror: Mirror): boolean;
  /** The mirror of that name, if it is crawled and no turn of it is under way. */
  findIdle(name: string): Mirror | undefined;
  readonly auditor: Auditor;
  /** Resolves when nothing is under way. */
  idle(): Promise<void>;
}

export function createVisits(deps: VisitsDeps): Visits {
  const { means, signal, network, share, journal, gather, writer, databaseTime, log } = deps;
  const { settings, newest } = means;
  const turns = createPool(TURNS);
  const underWay = new Map<string, Promise<void>>();
  const find = (name: string) => network.mirrors().find((mirror) => mirror.name === name);
  const auditor = createAuditor({ means, settings, find, report: conclude, log });

  /** Is there another server, or none, under its name by now? What was seen is not of that one. */
  const isGone = ({ name, url }: Mirror) => find(name)?.url !== url;
  const isCrawled = (mirror: Mirror) =>
    !mirror.disabled && (mirror.state === "pending" || platformsToProbe(mirror, newest().keys()).length > 0);

  function settle({ mirror, probes, audits, transitions, nextIn, lagMs }: TurnReport): void {
    const { name } = mirror;
    if (isGone(mirror)) return;
    logChanges(mirror, probes, log);
    note(mirror, probes);
    if (probes.length > 0) {
      const failed = probes.filter(({ failure }) => failure !== undefined).length;
      journal.counted(name, { probes: probes.length, failed, lagMs }, databaseTime());
    }
    journal.audited(audits);
    journal.changed(transitions);
    if (nextIn !== settings().interval) {
      share.postpone(name, nextIn);
      journal.moved(name, databaseTime() + nextIn);
    }
    if (transitions.length > 0) deps.onNews();
    auditor.visit(name);
  }

  function conclude({ mirror, probes, audits, transitions }: AuditReport): void {
    if (isGone(mirror)) return;
    for (const { ok, detail, platform } of audits) {
      if (ok === 0) log.warn({ mirror: mirror.name, platform, detail }, "mirror fails an audit");
    }
    if (probes.length > 0) note(mirror, probes);
    journal.audited(audits);
    journal.changed(transitions);
    if (transitions.length > 0) deps.onNews();
  }

  function note(mirror: Mirror, probes: readonly Probe[]): void {
    if (probes.some(({ platform, generation }) => mirror.probes.get(platform)?.generation !== generation))
      writer.noteMove();
    journal.probed(mirror.name, mirror.probes, probes);
    gather.add(mirror.name, probes);
  }

  return {
    auditor,
    isCrawled,
    underWay: (name) => underWay.get(name),
    findIdle(name) {
      const mirror = underWay.has(name) ? undefined : find(name);
      return mirror !== undefined && isCrawled(mirror) ? mirror : undefined;
    },
    begin({ name }) {
      const turn = turns
        .run(async () => {
          // What is known of it may be newer by now.
          const mirror = find(name);
          if (mirror === undefined || signal.aborted) return;
          const report = await takeTurn(mirror, means);
          if (!signal.aborted) settle(report);
        })
        .catch((error: unknown) => {
          if (!signal.aborted) log.error({ err: error, mirror: name }, "a turn of the crawl failed");
        })
        .finally(() => underWay.delete(name));
      underWay.set(name, turn);
      return turn;
    },
    async idle() {
      await Promise.all([turns.idle(), auditor.idle()]);
    },
  };
}

function logChanges({ name: mirror, probes }: Mirror, news: readonly Probe[], log: Logger): void {
  for (const { platform, failure, doubt } of news) {
    const known = probes.get(platform);
    if (known?.failure?.message !== failure?.message) {
      if (failure === undefined) log.info({ mirror, platform }, "mirror is well again");
      else log.warn({ mirror, platform, failure: failure.message }, "mirror fails its probe");
    }
    if (doubt !== undefined && known?.doubt !== doubt)
      log.warn({ mirror, platform, doubt }, "what a mirror shows does not count");
  }
}
