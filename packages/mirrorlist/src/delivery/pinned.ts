import type { Descriptor } from "@nearlayer/shared/descriptor";
import type { Digest } from "@nearlayer/shared/digest";
import {
  findManifest,
  manifestOf,
  type ServedManifest,
  type ServedRepository,
  type Snapshot,
} from "../served/snapshot.ts";

/** Why the bytes of a manifest must stay as they are, in a clause for people. */
export type PinReason = "it has referrers" | "it refers to another manifest" | "it is not an image" | "it is too deep";

/** What a container runs from. Anything else is an artifact, and who knows what its users do with its digest. */
const IMAGE_CONFIGS: readonly string[] = [
  "application/vnd.docker.container.image.v1+json",
  "application/vnd.oci.image.config.v1+json",
];

/** Nobody nests indexes deeper. */
const MAX_DEPTH = 4;

const pinned = new WeakMap<Snapshot, Map<ServedRepository, Map<ServedManifest, boolean>>>();

/** Whether there is a reason, told once for each snapshot. */
export function isPinned(snapshot: Snapshot, repository: ServedRepository, served: ServedManifest): boolean {
  const ofSnapshot = pinned.get(snapshot) ?? new Map<ServedRepository, Map<ServedManifest, boolean>>();
  const ofRepository = ofSnapshot.get(repository) ?? new Map<ServedManifest, boolean>();
  const known = ofRepository.get(served);
  if (known !== undefined) return known;
  const found = whyPinned(snapshot, repository, served) !== undefined;
  pinned.set(snapshot, ofSnapshot.set(repository, ofRepository.set(served, found)));
  return found;
}

/**
 * Why a manifest is never served with `urls`, which would give it another digest; undefined when it may be. An index is
 * bound by all that is below it: a signature of a child holds for the child's own digest.
 */
export function whyPinned(
  snapshot: Snapshot,
  repository: ServedRepository,
  served: ServedManifest,
  depth = 0,
): PinReason | undefined {
  if (depth > MAX_DEPTH) return "it is too deep";
  if (hasReferrers(snapshot, repository, served.digest)) return "it has referrers";
  if (served.subject !== undefined) return "it refers to another manifest";
  const manifest = manifestOf(served);
  if (manifest.kind === "image") {
    return IMAGE_CONFIGS.includes(manifest.config.mediaType) && manifest.artifactType === undefined
      ? undefined
      : "it is not an image";
  }
  for (const entry of manifest.manifests) {
    if (isAttestation(entry)) return "it has referrers";
    const child = findManifest(snapshot, repository, entry);
    const reason = child && whyPinned(snapshot, repository, child, depth + 1);
    // An artifact among the children is no reason: it stays as it is.
    if (reason !== undefined && reason !== "it is not an image") return reason;
  }
  return undefined;
}

/** BuildKit keeps attestations in the index itself, and names there the digest that each is about. */
function isAttestation({ annotations }: Descriptor): boolean {
  return annotations?.["vnd.docker.reference.digest"] !== undefined;
}

function hasReferrers(snapshot: Snapshot, repository: ServedRepository, digest: Digest): boolean {
  return snapshot.referrers.has(digest) || digestsInTags(repository).has(digest);
}

/**
 * `sha256-<hex>` with an ending or none: what cosign calls signatures, attestations and SBOMs, and the index of referrers
 * where a registry has no API for them (distribution-spec, "Referrers Tag Schema").
 */
const NAMED_AFTER = /^sha256-([0-9a-f]{64})(?![0-9a-zA-Z])/;

const known = new WeakMap<readonly string[], ReadonlySet<string>>();

function digestsInTags({ tagNames }: ServedRepository): ReadonlySet<string> {
  const remembered = known.get(tagNames);
  if (remembered !== undefined) return remembered;
  const digests = new Set(
    tagNames.flatMap((name) => {
      const hex = NAMED_AFTER.exec(name)?.[1];
      return hex === undefined ? [] : [`sha256:${hex}`];
    }),
  );
  known.set(tagNames, digests);
  return digests;
}
