import type { MirrorState } from "@nearlayer/shared/catalog/schema-network";

/** How a mirror stands. Times are epoch milliseconds. */
export interface Standing {
  readonly state: MirrorState;
  readonly reason: string;
  readonly since: number;
}

/** What a turn has shown of a mirror. */
export interface Observation {
  /** Whether any platform was answered for as it should be; and if not, why. Nothing was asked where it is missing. */
  readonly contact?:
    | { readonly ok: true }
    | { readonly ok: false; readonly reason: string; readonly wasFailing: boolean };
  /** Wrong bytes, a clause that says which. */
  readonly wrong?: string;
  /** What a mirror in `checking` lacks before it is in use. */
  readonly lacks?: string;
  /** For how long it has lacked a generation, in ms, and which. */
  readonly lag?: { readonly ms: number; readonly detail: string };
  /** Its proof, where it was looked at, and whether it may go on from there. */
  readonly proof?: { readonly ok: boolean; readonly detail: string };
  /** The operator still has to approve. */
  readonly awaitsApproval?: boolean;
  /** For one in quarantine: audits in a row without fault since it began, and how often it has been there. */
  readonly quarantine?: { readonly clean: number; readonly times: number };
}

export interface StateSettings {
  readonly staleAfter: number;
  /** The shortest quarantine, the first time. */
  readonly quarantine: number;
}

/** Audits without fault that a quarantine takes at the least. */
export const CLEAN_AUDITS = 5;
/** Each quarantine is twice as long as the one before, up to this. */
const LONGEST_QUARANTINE_MS = 7 * 86_400_000;

export const quarantineMs = (times: number, shortest: number) =>
  Math.max(shortest, Math.min(LONGEST_QUARANTINE_MS, shortest * 2 ** Math.max(0, times - 1)));

/** The state that what was seen leads to, with its reason; undefined where all stays as it is. Pure. */
export function nextState(
  standing: Standing,
  seen: Observation,
  now: number,
  settings: StateSettings,
): { readonly state: MirrorState; readonly reason: string } | undefined {
  const next = decide(standing, seen, now, settings);
  return next === undefined || (next.state === standing.state && next.reason === standing.reason) ? undefined : next;
}

function decide(standing: Standing, seen: Observation, now: number, settings: StateSettings) {
  const { state } = standing;
  const to = (next: MirrorState, reason: string) => ({ state: next, reason });
  switch (state) {
    case "disabled":
      return undefined;
    case "pending": {
      if (seen.proof === undefined) return undefined;
      if (!seen.proof.ok) return to("pending", `waits for its proof: ${seen.proof.detail}`);
      if (seen.awaitsApproval) return to("pending", "shows its proof, and waits for the operator's approval");
      return to("checking", seen.proof.detail);
    }
    case "checking":
      if (seen.wrong !== undefined) return to("quarantined", seen.wrong);
      if (seen.contact === undefined) return undefined;
      if (!seen.contact.ok) return to("checking", seen.contact.reason);
      if (seen.lacks !== undefined) return to("checking", seen.lacks);
      return inUse(seen, settings) ?? to("active", "passed its first full check");
    case "quarantined": {
      // A new fault begins it anew only by the audits that count from there on; the reason is the newest.
      if (seen.wrong !== undefined) return to("quarantined", seen.wrong);
      const { clean, times } = seen.quarantine ?? { clean: 0, times: 1 };
      if (clean < CLEAN_AUDITS || now - standing.since < quarantineMs(times, settings.quarantine)) return undefined;
      return to("active", `${clean} audits in a row without fault`);
    }
    default: {
      if (seen.wrong !== undefined) return to("quarantined", seen.wrong);
      if (seen.contact === undefined) return undefined;
      if (!seen.contact.ok) {
        const isGone = state === "unreachable" || seen.contact.wasFailing;
        return isGone ? to("unreachable", seen.contact.reason) : undefined;
      }
      const stale = inUse(seen, settings);
      if (stale !== undefined) return stale;
      return state === "active" ? undefined : to("active", state === "stale" ? "has caught up" : "answers again");
    }
  }
}

function inUse({ lag }: Observation, { staleAfter }: StateSettings) {
  if (lag === undefined || lag.ms <= staleAfter) return undefined;
  return { state: "stale" as const, reason: lag.detail };
}
