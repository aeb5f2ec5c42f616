import type { Digest } from "@nearlayer/shared/digest";
import { isTag } from "@nearlayer/shared/reference";
import type { ServedManifest, ServedRepository, Snapshot } from "../../served/snapshot.ts";

/** What is attached to an image: a signature, an attestation, a list of its parts. */
export interface Attached {
  readonly digest: Digest;
  /** The artifact type, or what a tag's ending says. */
  readonly kind: string;
  readonly annotations: Readonly<Record<string, string>>;
}

const MAX_SHOWN = 50;

/** How cosign names what it attaches where there is no referrers API: `sha256-HEX.sig` is a tag. */
const TAG_KINDS = { sig: "signature (cosign)", att: "attestation (cosign)", sbom: "SBOM (cosign)" } as const;

/** What refers to a manifest in its repository, by the referrers API and by cosign's tags. */
export function attachedTo(snapshot: Snapshot, repository: ServedRepository, { digest }: ServedManifest): Attached[] {
  const byReference = (snapshot.referrers.get(digest) ?? [])
    .filter((referrer) => repository.manifests.has(referrer))
    .slice(0, MAX_SHOWN)
    .flatMap((referrer) => {
      const served = snapshot.manifests.get(referrer);
      const kind = served?.artifactType ?? served?.mediaType ?? "";
      return served === undefined ? [] : [{ digest: referrer, kind, annotations: served.annotations ?? {} }];
    });
  const byTag = Object.entries(TAG_KINDS).flatMap(([ending, kind]) => {
    const tag = `${digest.replace(":", "-")}.${ending}`;
    const found = isTag(tag) ? repository.tags.get(tag) : undefined;
    return found === undefined ? [] : [{ digest: found, kind, annotations: {} }];
  });
  return [...byReference, ...byTag];
}

/** Is one of them a signature, by what its type calls itself? Whether it is good is for the client to find out. */
export const isSignature = ({ kind }: Attached): boolean => /signature|cosign|notary|sigstore/i.test(kind);
