import { type Digest, digestOf, isDigest } from "@nearlayer/shared/digest";
import { NearlayerError } from "@nearlayer/shared/errors";
import { MAX_MANIFEST_BYTES } from "@nearlayer/shared/manifest";
import { CARRIED_MANIFESTS, MEDIA_TYPE } from "@nearlayer/shared/mediatype";
import { readBounded } from "../body.ts";
import type { FetchedManifest } from "../source.ts";
import { type Answer, headerOf } from "./transport.ts";

export const ACCEPT_MANIFESTS = CARRIED_MANIFESTS.join(", ");

/** Reads a manifest out of an answer, and checks that it is what was asked for. */
export async function readManifest(answer: Answer, reference: string, what: string): Promise<FetchedManifest> {
  const bytes = await readBounded(answer.pour, MAX_MANIFEST_BYTES, what);
  const contentType = headerOf(answer.headers, "content-type");
  const digest = digestOf(bytes);
  const claimed = headerOf(answer.headers, "docker-content-digest");
  // Asked for by digest, the bytes must be those; asked for by tag, they must be what the registry says they are.
  const wanted = isDigest(reference) ? reference : claimed !== undefined && isDigest(claimed) ? claimed : digest;
  // A signed schema 1 manifest has the digest of a part of it. It is not carried, which is said by who reads it.
  if (wanted !== digest && !isSchema1(contentType)) {
    throw new NearlayerError("DIGEST_MISMATCH", `manifest ${what}: the registry sent ${digest}, not ${wanted}`);
  }
  return { digest, bytes, contentType };
}

function isSchema1(contentType: string | undefined): boolean {
  const type = contentType?.split(";", 1)[0]?.trim();
  return type === MEDIA_TYPE.schema1 || type === MEDIA_TYPE.schema1Signed;
}

/** The digest that a registry says a manifest has, without the manifest. */
export function claimedDigest(answer: Answer): Digest | undefined {
  const claimed = headerOf(answer.headers, "docker-content-digest");
  return answer.statusCode === 200 && claimed !== undefined && isDigest(claimed) ? claimed : undefined;
}
