import { isDigest } from "@nearlayer/shared/digest";
import { NearlayerError } from "@nearlayer/shared/errors";
import { parseReference, parseTag, type Reference } from "@nearlayer/shared/reference";

/**
 * References as they are typed, where a bare digest is one of the repository before it: `fedora/app sha256:… sha256:…`.
 * That is how xargs adds digests to a command.
 */
export function parseObjects(texts: readonly string[]): Reference[] {
  const references: Reference[] = [];
  let repository: Reference | undefined;
  for (const text of texts) {
    if (!isDigest(text)) {
      if (repository !== undefined) references.push(repository);
      repository = parseReference(text);
      continue;
    }
    const home = repository ?? references.at(-1);
    if (home === undefined) throw new NearlayerError("USAGE", `${text}: of which repository?`, HINT);
    references.push({ repository: home.repository, digest: text });
    repository = undefined;
  }
  return repository === undefined ? references : [...references, repository];
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
