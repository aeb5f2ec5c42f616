import type { Mirror } from "../mirrors/mirror.ts";
import type { Probe } from "../mirrors/probe.ts";

/** Stands for a state of the mirrors: the same object is the same state. */
export type Moment = object;

const moments = new WeakMap<readonly Mirror[], Moment>();
let newest: { readonly mirrors: readonly Mirror[]; readonly moment: Moment } | undefined;

/**
 * The moment of these mirrors. Each probe makes a new list, and nearly each shows what the one before has shown: the
 * moment stays, and what was chosen in it holds. Only the age of probes is not seen here.
 */
export function momentOf(mirrors: readonly Mirror[]): Moment {
  const known = moments.get(mirrors);
  if (known !== undefined) return known;
  const moment = newest !== undefined && areAlike(newest.mirrors, mirrors) ? newest.moment : {};
  moments.set(mirrors, moment);
  newest = { mirrors, moment };
  return moment;
}

function areAlike(before: readonly Mirror[], now: readonly Mirror[]): boolean {
  return before.length === now.length && now.every((mirror, number) => isAlike(before[number], mirror));
}

function isAlike(before: Mirror | undefined, now: Mirror): boolean {
  if (before === now) return true;
  if (before === undefined || !haveSame(before, now, ["probes"])) return false;
  if (before.probes.size !== now.probes.size) return false;
  return [...now.probes].every(([platform, probe]) => showsSame(before.probes.get(platform), probe));
}

function showsSame(before: Probe | undefined, now: Probe): boolean {
  if (before === undefined || before.failure?.kind !== now.failure?.kind) return false;
  return haveSame(before, now, ["failure", "at", "seenAt", "etag", "lastModified"]);
}

/** Whatever else there is to know of the two is the same, down to the very objects. */
function haveSame<T extends object>(a: T, b: T, but: readonly (keyof T)[]): boolean {
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]) as Set<keyof T>;
  return [...keys].every((key) => but.includes(key) || a[key] === b[key]);
}
