import type { Digest } from "@nearlayer/shared/digest";
import { parseManifest } from "@nearlayer/shared/manifest";
import type { Platform } from "@nearlayer/shared/platform";
import type { Repository, Tag } from "@nearlayer/shared/reference";
import { platformOfDescriptor, type WantsPlatform, wantedChildren } from "./children.ts";
import type { FetchedManifest } from "./source.ts";

/** A tag of the source. */
export interface TagName {
  readonly repository: Repository;
  readonly tag: Tag;
}

/** A manifest that was carried, and the platforms that its blobs were carried for (none for an index). */
export interface KnownManifest extends FetchedManifest {
  readonly platforms: readonly Platform[];
  /** Going to be removed, unless an image is recorded with it. */
  readonly isOnItsWayOut: boolean;
}

/** What the catalog knows, so that what has not changed is not fetched again. */
export interface Known {
  readonly tag: (name: TagName) => Promise<Digest | undefined>;
  readonly manifest: (digest: Digest) => Promise<KnownManifest | undefined>;
  /** Can the manifest be asked for in that repository? */
  readonly isIn: (repository: Repository, digest: Digest) => Promise<boolean>;
  /** Is a tag of it carried? */
  readonly hasTags: (repository: Repository) => Promise<boolean>;
  /** A small configuration. */
  readonly config: (digest: Digest) => Promise<Uint8Array | undefined>;
  /** Was the source seen to have a referrers API? */
  readonly hasReferrersApi: boolean;
}

/**
 * Was everything below a manifest carried that is wanted now? A manifest can be known, and yet lack what a narrower
 * configuration had left out, or be known for another platform.
 */
export async function isWhole(
  known: Known,
  wants: WantsPlatform,
  digest: Digest,
  platform?: Platform,
): Promise<boolean> {
  const found = await known.manifest(digest);
  if (found === undefined || found.isOnItsWayOut) return false;
  const manifest = parseManifest(found.bytes, found.contentType);
  if (manifest.kind === "image") {
    return platform === undefined ? found.platforms.length > 0 : found.platforms.includes(platform);
  }
  for (const child of wantedChildren(manifest, wants)) {
    if (!(await isWhole(known, wants, child.digest, platformOfDescriptor(child)))) return false;
  }
  return true;
}

/** The digests of a known manifest and of all known ones below it. */
export async function knownBelow(known: Known, digest: Digest): Promise<Digest[]> {
  const found = await known.manifest(digest);
  if (found === undefined) return [];
  const manifest = parseManifest(found.bytes, found.contentType);
  const children = manifest.kind === "index" ? manifest.manifests : [];
  const below = await Promise.all(children.map((child) => knownBelow(known, child.digest)));
  return [digest, ...below.flat()];
}
