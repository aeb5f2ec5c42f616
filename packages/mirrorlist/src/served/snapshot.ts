import type { Digest } from "@nearlayer/shared/digest";
import { type Manifest, parseManifest } from "@nearlayer/shared/manifest";
import type { Platform } from "@nearlayer/shared/platform";
import type { Tag } from "@nearlayer/shared/reference";
import { createLru } from "../lru.ts";
import { createBlobTable } from "./blob-table.ts";
import type { Manifests, Repositories } from "./images.ts";
import { type LayeredBlobs, layered } from "./layered-blobs.ts";
import { type Packed, unpack } from "./packed.ts";
import type { Contents } from "./read-contents.ts";

/** A manifest, packed: `bytesOf` gives the exact bytes that its digest names. */
export interface ServedManifest extends Packed {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly artifactType?: string;
  /** What it refers to, when it is a signature, an attestation and the like. */
  readonly subject?: Digest;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface ServedRepository {
  readonly tags: ReadonlyMap<Tag, Digest>;
  /** By code unit. */
  readonly tagNames: readonly Tag[];
  /** The manifests that can be asked for here by digest. */
  readonly manifests: ReadonlySet<Digest>;
}

/** Everything that pulls are answered from: one moment of the catalog, in memory. */
export interface Snapshot extends Repositories, Manifests {
  readonly revision: number;
  readonly blobs: LayeredBlobs;
  /** Configurations: the small blobs that are served from here. */
  readonly contents: Contents;
  /** The newest generation of each platform. */
  readonly generations: ReadonlyMap<Platform, number>;
}

export const EMPTY_SNAPSHOT: Snapshot = {
  revision: -1,
  repositories: new Map(),
  repositoryNames: [],
  manifests: new Map(),
  referrers: new Map(),
  blobs: layered(createBlobTable(0).build()),
  contents: new Map(),
  generations: new Map(),
};

/** The manifest that a tag or a digest means in a repository. */
export function findManifest(
  snapshot: Snapshot,
  repository: ServedRepository,
  reference: { readonly tag: Tag } | { readonly digest: Digest },
): ServedManifest | undefined {
  if ("tag" in reference) {
    const digest = repository.tags.get(reference.tag);
    return digest === undefined ? undefined : snapshot.manifests.get(digest);
  }
  return repository.manifests.has(reference.digest) ? snapshot.manifests.get(reference.digest) : undefined;
}

/** The exact bytes of a manifest. They must not be changed. */
export const bytesOf = (served: ServedManifest): Uint8Array => unpack(served);

/** How many bytes of manifests are remembered as they were read, which takes about twice as much memory. */
const PARSED_BYTES = 4 * 1024 * 1024;
const parsed = createLru<ServedManifest, { readonly manifest: Manifest; readonly size: number }>(
  PARSED_BYTES,
  ({ size }) => size,
);

/** What the bytes say, remembered for what is asked for often. The catalog holds only what could be read before. */
export function manifestOf(served: ServedManifest): Manifest {
  const known = parsed.get(served);
  if (known !== undefined) return known.manifest;
  const manifest = parseManifest(bytesOf(served));
  parsed.set(served, { manifest, size: served.size });
  return manifest;
}
