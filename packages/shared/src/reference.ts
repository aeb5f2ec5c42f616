import { type Digest, isDigest } from "./digest.ts";
import { NearlayerError } from "./errors.ts";

declare const brand: unique symbol;

/** The name of a repository: path components in lower case (distribution-spec, "Pulling manifests"). */
export type Repository = string & { readonly [brand]: "Repository" };

/** A movable name for a manifest within a repository. */
export type Tag = string & { readonly [brand]: "Tag" };

const REPOSITORY = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;

export function isRepository(text: string): text is Repository {
  return text.length <= 255 && REPOSITORY.test(text);
}

export function isTag(text: string): text is Tag {
  return text.length <= 128 && TAG.test(text);
}

/** Throws NAME_INVALID when the text is not a repository name. */
export function parseRepository(text: string): Repository {
  if (isRepository(text)) return text;
  throw new NearlayerError("NAME_INVALID", `not a repository name: ${JSON.stringify(text.slice(0, 100))}`, {
    hint: "repository names are lower case, like fedora/app",
  });
}

/** Throws NAME_INVALID when the text is not a tag. */
export function parseTag(text: string): Tag {
  if (isTag(text)) return text;
  throw new NearlayerError("NAME_INVALID", `not a tag: ${JSON.stringify(text.slice(0, 150))}`);
}

/** `REPOSITORY`, `REPOSITORY:TAG` or `REPOSITORY@DIGEST`, as people type them. */
export interface Reference {
  readonly repository: Repository;
  readonly tag?: Tag;
  readonly digest?: Digest;
}

/** Throws NAME_INVALID when the text is not `REPOSITORY`, `REPOSITORY:TAG` or `REPOSITORY@DIGEST`. */
export function parseReference(text: string): Reference {
  const at = text.indexOf("@");
  if (at >= 0) {
    const digest = text.slice(at + 1);
    if (!isDigest(digest)) throw new NearlayerError("NAME_INVALID", `not a reference, wrong digest: ${text}`);
    return { repository: parseRepository(text.slice(0, at)), digest };
  }
  const colon = text.indexOf(":");
  if (colon < 0) return { repository: parseRepository(text) };
  return { repository: parseRepository(text.slice(0, colon)), tag: parseTag(text.slice(colon + 1)) };
}
