import type { EventGroup, GroupOutcome } from "@nearlayer/shared/catalog/events";
import type { Digest } from "@nearlayer/shared/digest";
import type { Reference, Repository } from "@nearlayer/shared/reference";
import type { Failure } from "../../commands/failure.ts";
import { clean } from "../text.ts";
import { type Backoff, waitAfter } from "./backoff.ts";

/** So many repositories and tags are synced in one run. */
export const MAX_BATCH = 500;

/** The references that a sync of all groups takes: where all of a repository is wanted, its tags are in it. Pure. */
export function referencesOf(groups: readonly EventGroup[]): Reference[] {
  const whole = new Set<Repository>();
  for (const { repository, tag } of groups) if (tag === undefined) whole.add(repository);
  return groups.flatMap(({ repository, tag }) => {
    if (tag === undefined) return [{ repository }];
    return whole.has(repository) ? [] : [{ repository, tag }];
  });
}

export interface RetryPolicy extends Backoff {
  /** After so many failures an event is parked. */
  readonly attempts: number;
}

/**
 * What became of each group, by what a sync could not do. `random` is called once for each that is to be tried again. Pure
 * but for that.
 */
export function outcomesOf(
  groups: readonly EventGroup[],
  failures: readonly Failure[],
  policy: RetryPolicy,
  now: Date,
  random: () => number,
): Map<EventGroup, GroupOutcome> {
  return new Map(groups.map((group) => [group, outcomeOf(group, failureIn(group, failures), policy, now, random)]));
}

/** The failure of any of its tags is a failure of the repository; a tag's signature may have another name. */
export function failureIn({ repository, tag }: EventGroup, failures: readonly Failure[]): Failure | undefined {
  const own = failures.filter((failure) => failure.repository === repository);
  if (tag === undefined) return own[0];
  return own.find((failure) => failure.tag === undefined || failure.tag === tag || failure.tag.startsWith("sha256-"));
}

/**
 * An event can come before what it tells of: a registry announces a push, and then moves the tag. What is not there, or
 * not yet what it is to be, is looked at again so often within about eight seconds.
 */
const EARLY_TRIES = 6;
const EARLY_MS = 250;

/** A tag that is not what the newest event says, as a failure. */
export function failuresOfEarly(
  groups: readonly EventGroup[],
  digestOf: (group: EventGroup) => Digest | undefined,
): Failure[] {
  return groups.flatMap((group) => {
    const { repository, tag, digest } = group;
    if (tag === undefined || digest === undefined || digestOf(group) === digest) return [];
    return [{ repository, tag, code: "NOT_FOUND", message: `the tag is not ${digest}, as the event has it` } as const];
  });
}

function outcomeOf(
  group: EventGroup,
  failure: Failure | undefined,
  policy: RetryPolicy,
  now: Date,
  random: () => number,
): GroupOutcome {
  if (failure === undefined) return { state: "done" };
  const { code } = failure;
  const reason = clean(failure.message, 1000);
  if (code === "USAGE") return { state: "done", reason };
  const attempt = group.attempts + 1;
  const isMissing = code === "NOT_FOUND";
  // What the tag has become since is another event's to tell.
  const isEnough = attempt >= EARLY_TRIES && (group.optional || group.digest !== undefined);
  if (isMissing && isEnough) return { state: "done", reason };
  if (attempt >= policy.attempts) return { state: "parked", reason };
  const backoff = isMissing && attempt <= EARLY_TRIES ? { ...policy, first: Math.min(policy.first, EARLY_MS) } : policy;
  return { state: "waiting", reason, notBefore: new Date(now.getTime() + waitAfter(attempt, backoff, random())) };
}
