import type { Descriptor } from "@nearlayer/shared/descriptor";
import type { IndexManifest } from "@nearlayer/shared/manifest";
import { type Platform, type PlatformParts, platformOf } from "@nearlayer/shared/platform";

export type WantsPlatform = (platform: Platform) => boolean;

/** Which manifest of the same index an attestation is about (BuildKit, docs/attestations/attestation-storage.md). */
const ATTESTED = "vnd.docker.reference.digest";

/** The platform that an index gives for one of its manifests, if it gives one. */
export function platformOfDescriptor({ platform }: Descriptor): Platform | undefined {
  if (!platform) return undefined;
  const parts = Object.entries(platform).filter(([, value]) => value !== undefined);
  return platformOf(Object.fromEntries(parts) as Partial<PlatformParts>);
}

/**
 * The manifests of an index that are carried: those for a wanted platform, those that do not say (their configuration
 * will), and the attestations of both.
 */
export function wantedChildren({ manifests }: IndexManifest, wants: WantsPlatform): readonly Descriptor[] {
  const attested = (child: Descriptor) => child.annotations?.[ATTESTED];
  const wanted = manifests.filter((child) => {
    const platform = platformOfDescriptor(child);
    return attested(child) === undefined && (platform === undefined || wants(platform));
  });
  const digests = new Set<string>(wanted.map(({ digest }) => digest));
  return manifests.filter((child) => digests.has(attested(child) ?? child.digest));
}
