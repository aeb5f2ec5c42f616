import type { Published } from "@nearlayer/shared/catalog/published";
import type { Generation } from "@nearlayer/shared/generation";
import type { Platform } from "@nearlayer/shared/platform";
import { DELTAS_KEPT } from "./state.ts";

/** What a target shows of a platform, and whether it is a generation that was made here. */
export interface Shown {
  readonly number: number;
  readonly isOurs: boolean;
  /** Are its bytes those that the tree shows now? A new key changes them, and not the generation. */
  readonly isCurrent: boolean;
}

/** What is known before a target is written to. */
export interface TargetFacts {
  /** The newest generation of each platform. */
  readonly newest: readonly Generation[];
  /** What the catalog says that the target was given. */
  readonly published: readonly Published[];
  /** What the target itself shows, or undefined where it cannot be read (`write only`). */
  readonly shown: ReadonlyMap<Platform, Shown> | undefined;
  /** Was all of it asked for? */
  readonly isForced: boolean;
  /** After how many milliseconds all of it is compared again. */
  readonly fullEvery: number;
  readonly now: Date;
}

/** How a target is brought up to date. */
export type Pass =
  | { readonly kind: "nothing" }
  /** What has changed after these generations. */
  | { readonly kind: "changes"; readonly since: ReadonlyMap<Platform, number> }
  | { readonly kind: "full"; readonly reason: string }
  | { readonly kind: "refused"; readonly reason: string };

/**
 * Only what the target itself shows, and what we remember to have brought there, is taken as there: a target that was
 * emptied, set back or written by somebody else shows something else than we remember. Single files that are lost behind
 * our back are found by the full pass, which comes round every `fullEvery`.
 */
export function choosePass({ newest, published, shown, isForced, fullEvery, now }: TargetFacts): Pass {
  const full = (reason: string): Pass => ({ kind: "full", reason });
  if (isForced) return full("asked for");
  const foreign = [...(shown ?? [])].find(([, { isOurs }]) => !isOurs);
  if (foreign) {
    const reason = `it shows generation ${foreign[1].number} of ${foreign[0]}, which this catalog has not made`;
    return { kind: "refused", reason };
  }
  const remembered = new Map(published.map((row) => [row.platform, row]));
  if (remembered.size === 0) return full("nothing is known of it");
  const oldest = Math.min(...published.map(({ fullAt }) => Date.parse(fullAt)));
  if (now.getTime() - oldest >= fullEvery) return full("it is time to compare all");

  const since = new Map<Platform, number>();
  let isCurrent = true;
  for (const { platform, number } of newest) {
    const there = shown?.get(platform);
    const given = remembered.get(platform)?.number;
    if (given === undefined) {
      if (there) return full(`it shows ${platform}, which it was not given`);
    } else {
      if (shown && there === undefined) return full(`it no longer shows ${platform}`);
      if (there && there.number < given)
        return full(`it shows generation ${there.number} of ${platform}, not ${given}`);
      if (number - given >= DELTAS_KEPT) return full(`it is ${number - given} generations behind`);
    }
    since.set(platform, given ?? 0);
    isCurrent &&= given === number && (there?.isCurrent ?? true);
  }
  return isCurrent ? { kind: "nothing" } : { kind: "changes", since };
}
