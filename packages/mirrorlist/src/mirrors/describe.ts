import type { PlatformGenerations } from "@nearlayer/shared/catalog/network-view";
import type { MirrorState } from "@nearlayer/shared/catalog/schema-network";
import type { Platform } from "@nearlayer/shared/platform";
import type { DayOfRedirects, Overview } from "../records/records.ts";
import { hidePlaces } from "./hide-places.ts";
import type { Mirror } from "./mirror.ts";

/** A mirror as `/mirrors.json` and the pages show it. */
export interface MirrorDescription {
  readonly name: string;
  /** Left out for private mirrors: it is no business of others. */
  readonly url?: string;
  readonly country: string;
  /** Mbit/s. */
  readonly bandwidth: number;
  readonly private: boolean;
  readonly disabled: boolean;
  readonly state: MirrorState;
  /** Why, and since when, as far as it was written down. */
  readonly reason?: string;
  readonly since?: string;
  /** Seconds since there has been a generation that it lacks, in the platform where that is longest; 0 has all. */
  readonly lag?: number;
  /** Of all redirects to mirrors in the last 24 hours, from 0 to 1. */
  readonly share?: number;
  readonly platforms: readonly PlatformDescription[];
}

export interface PlatformDescription {
  readonly platform: Platform;
  readonly state: "fresh" | "behind" | "failing" | "absent" | "unknown";
  readonly generation?: number;
  /** How many generations it lacks. */
  readonly behind?: number;
  /** Seconds since the first of these was made. */
  readonly lag?: number;
  /** What it says it has, where that does not count yet, and why not. */
  readonly shown?: number;
  readonly doubt?: string;
  readonly seenAt?: string;
  readonly failure?: string;
}

/** What the catalog tells of mirrors, as far as it could be read. */
export interface DescribeRecords {
  readonly overview?: Overview | undefined;
  readonly day?: DayOfRedirects | undefined;
  readonly now: number;
}

/**
 * The mirrors as everybody may see them. Who has not shown yet that the mirror is theirs, or has not been approved of, is
 * left out: anyone can write anything there.
 */
export function describeMirrors(
  mirrors: readonly Mirror[],
  newest: ReadonlyMap<Platform, number>,
  records: DescribeRecords,
): MirrorDescription[] {
  return mirrors
    .filter(({ state }) => state !== "pending")
    .map((mirror) => withoutPlaces(describeMirror(mirror, newest, records), mirror));
}

/** Where a private mirror is stays out of what is said of it. */
export function withoutPlaces(description: MirrorDescription, mirror: Mirror): MirrorDescription {
  if (!mirror.private) return description;
  const hide = (text: string) => hidePlaces(text, mirror.url, mirror.rsync);
  const { url, reason, platforms, ...rest } = description;
  return {
    ...rest,
    ...(reason === undefined ? {} : { reason: hide(reason) }),
    platforms: platforms.map(({ failure, doubt, ...platform }) => ({
      ...platform,
      ...(doubt === undefined ? {} : { doubt: hide(doubt) }),
      ...(failure === undefined ? {} : { failure: hide(failure) }),
    })),
  };
}

/** All that is known of a mirror. By the newest generation of each platform. */
export function describeMirror(
  mirror: Mirror,
  newest: ReadonlyMap<Platform, number>,
  { overview, day, now }: DescribeRecords = { now: Number.NaN },
): MirrorDescription {
  const names = new Set([...(mirror.platforms ?? newest.keys()), ...mirror.probes.keys()]);
  const platforms = [...names]
    .sort()
    .map((name) => describePlatform(mirror, name, newest.get(name), overview?.generations.get(name), now));
  const lags = platforms.flatMap(({ lag }) => lag ?? []);
  return {
    name: mirror.name,
    ...(mirror.private ? {} : { url: mirror.url }),
    country: mirror.country,
    bandwidth: mirror.bandwidth,
    private: mirror.private,
    disabled: mirror.disabled,
    state: mirror.state,
    ...(mirror.reason === "" ? {} : { reason: mirror.reason }),
    ...(mirror.stateSince === "" ? {} : { since: mirror.stateSince }),
    ...(lags.length === 0 ? {} : { lag: Math.max(...lags) }),
    ...(day === undefined || day.total === 0
      ? {}
      : { share: (day.byMirror.get(mirror.name)?.redirects ?? 0) / day.total }),
    platforms,
  };
}

function describePlatform(
  mirror: Mirror,
  platform: Platform,
  newest: number | undefined,
  generations: PlatformGenerations | undefined,
  now: number,
): PlatformDescription {
  const probe = mirror.probes.get(platform);
  if (probe === undefined) return { platform, state: "unknown" };
  const { generation, shown, doubt, seenAt, failure } = probe;
  const behind = generation === undefined || newest === undefined ? undefined : Math.max(0, newest - generation);
  const lag = lagOf(behind, generations, now);
  const failing = failure?.kind === "absent" ? "absent" : "failing";
  return {
    platform,
    state: failure !== undefined ? failing : behind === 0 ? "fresh" : "behind",
    ...(generation === undefined ? {} : { generation }),
    ...(behind === undefined ? {} : { behind }),
    ...(lag === undefined ? {} : { lag }),
    ...(shown === undefined ? {} : { shown }),
    ...(doubt === undefined ? {} : { doubt }),
    ...(seenAt === undefined ? {} : { seenAt: new Date(seenAt).toISOString() }),
    ...(failure === undefined ? {} : { failure: failure.message }),
  };
}

/** Generations are numbered without a gap. Of a mirror that is further behind than times are known, the least it can be. */
function lagOf(
  behind: number | undefined,
  generations: PlatformGenerations | undefined,
  now: number,
): number | undefined {
  if (behind === undefined || behind === 0) return behind;
  const { times = [] } = generations ?? {};
  const firstMissed = times[Math.min(behind, times.length) - 1];
  return firstMissed && Math.max(0, Math.round((now - Date.parse(firstMissed.time)) / 1000));
}
