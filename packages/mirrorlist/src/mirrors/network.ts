import type { DeclaredMirror } from "@nearlayer/shared/config/schema";
import { type Mirror, mirrorOf } from "./mirror.ts";
import type { Probe } from "./probe.ts";

/** The mirrors as they are known now. `mirrors()` is one immutable moment; changes swap in whole. */
export interface Network {
  mirrors(): readonly Mirror[];
  /** Notes what probes of a mirror have shown; a mirror that is gone meanwhile is passed over. */
  record(name: string, probes: readonly Probe[]): void;
  /** Other declarations take the place of these. What is known of a mirror stays, as long as it is the same server. */
  replace(declared: readonly DeclaredMirror[]): void;
  /** The next probe of each mirror reads the whole of what it shows, unconditionally. */
  forgetConditions(): void;
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
    replace(next) {
      const known = new Map(mirrors.map((mirror) => [mirror.name, mirror]));
      mirrors = next.map((one) => {
        const [mirror, before] = [mirrorOf(one), known.get(one.name)];
        const isSame = before?.url === mirror.url && before.allowPrivateAddress === mirror.allowPrivateAddress;
        return isSame ? { ...mirror, probes: before.probes } : mirror;
      });
    },
    forgetConditions() {
      mirrors = mirrors.map((mirror) => ({
        ...mirror,
        probes: new Map([...mirror.probes].map(([platform, { etag, lastModified, ...probe }]) => [platform, probe])),
      }));
    },
  };
}
