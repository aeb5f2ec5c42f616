import { type Digest, isDigest } from "@nearlayer/shared/digest";
import { isRepository, isTag, type Repository, type Tag } from "@nearlayer/shared/reference";
import { type SpecError, specError } from "./spec-error.ts";

/** What a request to `/v2/` asks for, as values that have been checked. */
export type Asked =
  | { readonly kind: "version" }
  | { readonly kind: "manifest"; readonly repository: Repository; readonly reference: ManifestReference }
  | { readonly kind: "blob"; readonly repository: Repository; readonly digest: Digest }
  | { readonly kind: "tags"; readonly repository: Repository }
  | { readonly kind: "catalog" }
  | { readonly kind: "referrers"; readonly repository: Repository; readonly digest: Digest }
  | SpecError;

export type ManifestReference = { readonly tag: Tag } | { readonly digest: Digest };

/** The longest path that can mean something: a repository name of 255 characters, a digest, every one encoded. */
const MAX_PATH = 2048;

/** A digest of another algorithm that the specification registers: well-formed, but nothing here has that name. */
const SHA512 = /^sha512:[0-9a-f]{128}$/;

/** The path of a request line's target, as it was sent: no query, no decoding, no `..` resolved. */
export function rawPath(target: string): string {
  // The absolute form (RFC 9112, 3.2.2) is what a client sends that thinks it talks to a proxy.
  const path = target.startsWith("/") ? target : target.replace(/^https?:\/\/[^/?]*/i, "");
  const query = path.indexOf("?");
  return query < 0 ? path : path.slice(0, query);
}

export function isRegistryPath(path: string): boolean {
  return path === "/v2" || path.startsWith("/v2/");
}

/** Reads the raw path and the method of a request to `/v2/`. Never throws. */
export function parseRequest(method: string, path: string): Asked {
  if (method !== "GET" && method !== "HEAD") {
    return specError("UNSUPPORTED", "this registry is for pulling: it takes GET and HEAD alone");
  }
  if (path.length > MAX_PATH) return specError("NAME_INVALID", "the path is too long", path);
  if (path === "/v2" || path === "/v2/") return { kind: "version" };
  return parsePlain(path) ?? parseEncoded(path);
}

/** As nearly all are: nothing in a name, a tag or a digest has to be encoded. Undefined when it is not so simple. */
function parsePlain(path: string): Asked | undefined {
  const end = path.lastIndexOf("/");
  const verb = path.lastIndexOf("/", end - 1);
  if (verb < PREFIX.length) return undefined;
  return parseNamed(path.slice(PREFIX.length, verb), path.slice(verb + 1, end), path.slice(end + 1));
}

const PREFIX = "/v2/";

function parseEncoded(path: string): Asked {
  const segments = decodeSegments(path.slice(PREFIX.length));
  if (segments === undefined) return specError("NAME_INVALID", "the path is not well-formed", path);
  return parseSegments(segments, path);
}

/** Each segment decoded by itself, or undefined when the encoding is broken or hides a slash or a control character. */
function decodeSegments(path: string): string[] | undefined {
  const segments: string[] = [];
  for (const raw of path.split("/")) {
    let segment = raw;
    try {
      if (raw.includes("%")) segment = decodeURIComponent(raw);
    } catch {
      return undefined;
    }
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    if (/[/\\\u0000-\u001f\u007f]/.test(segment)) return undefined;
    segments.push(segment);
  }
  return segments;
}

function parseSegments(segments: readonly string[], path: string): Asked {
  if (segments.length === 1 && segments[0] === "_catalog") return { kind: "catalog" };
  const last = segments.at(-1) ?? "";
  const verb = segments.at(-2) ?? "";
  const name = segments.slice(0, -2).join("/");
  const named = parseNamed(name, verb, last);
  if (named !== undefined) return named;
  const isKnown =
    verb === "manifests" || verb === "blobs" || verb === "referrers" || (verb === "tags" && last === "list");
  if (!isKnown) {
    return segments.some((segment) => segment === "" || segment === "." || segment === "..")
      ? specError("NAME_INVALID", "the path is not one of a registry", path)
      : specError("UNSUPPORTED", "nothing is answered under this path", path, 404);
  }
  if (!isRepository(name)) return specError("NAME_INVALID", "not a repository name", name);
  if (verb === "manifests") return refuseReference(last);
  if (SHA512.test(last)) return specError("BLOB_UNKNOWN", "no blob has a digest of this algorithm here", last);
  return specError("DIGEST_INVALID", "not a sha256 digest", last);
}

/** What is asked of a repository, or undefined when one of the three parts is not as it should be. */
function parseNamed(repository: string, verb: string, last: string): Asked | undefined {
  if (!isRepository(repository)) return undefined;
  switch (verb) {
    case "blobs":
      return isDigest(last) ? { kind: "blob", repository, digest: last } : undefined;
    case "manifests":
      if (isDigest(last)) return { kind: "manifest", repository, reference: { digest: last } };
      return isTag(last) ? { kind: "manifest", repository, reference: { tag: last } } : undefined;
    case "referrers":
      return isDigest(last) ? { kind: "referrers", repository, digest: last } : undefined;
    case "tags":
      return last === "list" ? { kind: "tags", repository } : undefined;
    default:
      return undefined;
  }
}

function refuseReference(reference: string): SpecError {
  if (SHA512.test(reference))
    return specError("MANIFEST_UNKNOWN", "no manifest has a digest of this algorithm here", reference);
  if (reference.includes(":")) return specError("DIGEST_INVALID", "not a sha256 digest", reference);
  // What cannot be a tag is the name of nothing; the specification has no code of its own for it.
  return specError("MANIFEST_UNKNOWN", "no such tag", reference);
}
