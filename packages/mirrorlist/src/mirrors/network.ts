import type { DeclaredMirror } from "@nearlayer/shared/config/schema";
import { type Mirror, mirrorOf } from "./mirror.ts";
import type { Probe } from "./probe.ts";

/** The mirrors as they are known now. `mirrors()` is one immutable moment; changes swap in whole. */
export interface Network {
  mirrors(): readonly Mirror[];
  /** Notes what probes of a mirror have shown; a mirror that is gone meanwhile is passed over. */
  record(name: string, probes: readonly Probe[]): void;
}

export function createNetwork(declared: readonly DeclaredMirror[]): Network {
  let mirrors: readonly Mirror[] = declared.map(mirrorOf);
  return {
    mirrors: () => mirrors,
    record(name, probes) {
      mirrors = mirrors.map((mirror) => {
        if (mirror.name !== name) return mirror;
        const next = new Map(mirror.probes);
        for (const probe of probes) next.set(probe.platform, probe);
        return { ...mirror, probes: next };
      });
    },
  };
}
