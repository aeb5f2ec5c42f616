import { type Digest, isDigest } from "@nearlayer/shared/digest";
import type { Tag } from "@nearlayer/shared/reference";

/**
 * Tags that stand for a relation: cosign's signatures, attestations and SBOMs (`sha256-<hex>.sig` and so on, sigstore's
 * cosign, specs/SIGNATURE_SPEC.md) and the list of referrers where a registry has no API for them (`sha256-<hex>`,
 * distribution-spec, "Referrers Tag Schema").
 */
const COMPANION = /^sha256-([0-9a-f]{64})(?:\.(?:sig|att|sbom))?$/;

/** The manifest that such a tag belongs to; undefined for an ordinary tag. */
export function subjectOf(tag: Tag): Digest | undefined {
  const digest = `sha256:${COMPANION.exec(tag)?.[1] ?? ""}`;
  return isDigest(digest) ? digest : undefined;
}
