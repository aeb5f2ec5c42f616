import type { Platform } from "@nearlayer/shared/platform";
import type { Mirror } from "./mirror.ts";

/** A mirror as `/mirrors.json`, the page and the commands show it. */
export interface MirrorDescription {
  readonly name: string;
  /** Left out for private mirrors: it is no business of others. */
  readonly url?: string;
  readonly country: string;
  readonly bandwidth: number;
  readonly private: boolean;
  readonly disabled: boolean;
  readonly platforms: readonly PlatformDescription[];
}

export interface PlatformDescription {
  readonly platform: Platform;
  readonly state: "fresh" | "behind" | "failing" | "absent" | "unknown";
  readonly generation?: number;
  /** How many generations it lacks. */
  readonly behind?: number;
  readonly seenAt?: string;
  readonly failure?: string;
}

export function describeMirror(mirror: Mirror, newest: ReadonlyMap<Platform, number>): MirrorDescription {
  const platforms = new Set([...(mirror.platforms ?? newest.keys()), ...mirror.probes.keys()]);
  return {
    name: mirror.name,
    ...(mirror.private ? {} : { url: mirror.url }),
    country: mirror.country,
    bandwidth: mirror.bandwidth,
    private: mirror.private,
    disabled: mirror.disabled,
    platforms: [...platforms].sort().map((platform) => describePlatform(mirror, platform, newest.get(platform))),
  };
}

function describePlatform(mirror: Mirror, platform: Platform, newest: number | undefined): PlatformDescription {
  const probe = mirror.probes.get(platform);
  if (probe === undefined) return { platform, state: "unknown" };
  const { generation, seenAt, failure } = probe;
  const behind = generation === undefined || newest === undefined ? undefined : Math.max(0, newest - generation);
  const failing = failure?.kind === "absent" ? "absent" : "failing";
  return {
    platform,
    state: failure !== undefined ? failing : behind === 0 ? "fresh" : "behind",
    ...(generation === undefined ? {} : { generation }),
    ...(behind === undefined ? {} : { behind }),
    ...(seenAt === undefined ? {} : { seenAt: new Date(seenAt).toISOString() }),
    ...(failure === undefined ? {} : { failure: failure.message }),
  };
}
