import { isDigest } from "@nearlayer/shared/digest";
import { NearlayerError } from "@nearlayer/shared/errors";
import { parseReference, parseTag, type Reference } from "@nearlayer/shared/reference";
import type { BlobReference } from "../commands/fetch.ts";

/**
 * What is to be fetched, as it is typed: `REPOSITORY`, `REPOSITORY:TAG` and `REPOSITORY@DIGEST` are images; a bare digest
 * is a blob of the repository before it: `fedora/app sha256:… sha256:…`. That is how xargs adds digests to a command.
 */
export function parseWanted(texts: readonly string[]): { images: Reference[]; blobs: BlobReference[] } {
  const images: Reference[] = [];
  const blobs: BlobReference[] = [];
  for (const [index, text] of texts.entries()) {
    if (!isDigest(text)) {
      const reference = parseReference(text);
      const isHome = reference.tag === undefined && reference.digest === undefined && isDigest(texts[index + 1] ?? "");
      if (!isHome) images.push(reference);
      continue;
    }
    const home = texts.slice(0, index).findLast((before) => !isDigest(before));
    if (home === undefined) throw new NearlayerError("USAGE", `${text}: of which repository?`, HINT);
    blobs.push({ repository: parseReference(home).repository, digest: text });
  }
  return { images, blobs };
}

const HINT = { hint: "name it first: REPOSITORY sha256:…" };

/** `REPOSITORY:TAG`, `REPOSITORY@DIGEST`, `REPOSITORY TAG` or `REPOSITORY DIGEST`. */
export function parseObject(text: string, object: string | undefined): Reference {
  const reference = parseReference(text);
  if (object === undefined) return reference;
  const { repository } = reference;
  return isDigest(object) ? { repository, digest: object } : { repository, tag: parseTag(object) };
}

/** A number of bytes. Throws USAGE. */
export function parseSize(text: string): number {
  if (/^\d{1,13}$/.test(text)) return Number(text);
  throw new NearlayerError("USAGE", `not a number of bytes: ${text}`);
}
