import { type HourOfProbes, type HourOfRedirects, hourOf } from "@nearlayer/shared/catalog/history";

/** Figures of hours that wait to be written; they add up. */
export interface Tally<Row> {
  add(row: Row): void;
  /** Takes all that there is; what could not be written is added again. */
  take(): Row[];
}

function createTally<Row extends { mirror: string; hour: string }>(sum: (a: Row, b: Row) => Row): Tally<Row> {
  /** By mirror and hour. */
  let rows = new Map<string, Map<string, Row>>();
  return {
    add(row) {
      const ofMirror = rows.get(row.mirror) ?? new Map<string, Row>();
      if (ofMirror.size === 0) rows.set(row.mirror, ofMirror);
      const known = ofMirror.get(row.hour);
      ofMirror.set(row.hour, known === undefined ? row : sum(known, row));
    },
    take() {
      const taken = [...rows.values()].flatMap((ofMirror) => [...ofMirror.values()]);
      rows = new Map();
      return taken;
    },
  };
}

export const createProbeTally = (): Tally<HourOfProbes> =>
  createTally((a, b) => ({
    ...a,
    probes: a.probes + b.probes,
    failed: a.failed + b.failed,
    lagSeconds: Math.max(a.lagSeconds, b.lagSeconds),
  }));

export const createRedirectTally = (): Tally<HourOfRedirects> =>
  createTally((a, b) => ({ ...a, redirects: a.redirects + b.redirects, bytes: a.bytes + b.bytes }));

/** The longest lag that is written down: what fits in an integer of PostgreSQL. */
const MAX_SECONDS = 2 ** 31 - 1;

/** Probes of a mirror at a time (epoch ms), as a part of their hour. */
export function probeHour(
  mirror: string,
  { probes, failed, lagMs }: { readonly probes: number; readonly failed: number; readonly lagMs: number },
  now: number,
): HourOfProbes {
  return { mirror, hour: hourOf(now), probes, failed, lagSeconds: Math.min(MAX_SECONDS, Math.round(lagMs / 1000)) };
}
