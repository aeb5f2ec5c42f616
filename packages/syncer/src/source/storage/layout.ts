import { join } from "node:path";
import { type Digest, hexOf } from "@nearlayer/shared/digest";
import type { Repository, Tag } from "@nearlayer/shared/reference";

/** Where a distribution registry keeps things on disk (distribution, registry/storage/paths.go). Pure. */
export const versionDir = (root: string) => join(root, "docker", "registry", "v2");
export const repositoriesDir = (root: string) => join(versionDir(root), "repositories");
export const tagsDir = (root: string, repository: Repository) =>
  join(repositoriesDir(root), repository, "_manifests", "tags");
/** A link is a file that holds a digest. */
export const tagLink = (root: string, repository: Repository, tag: Tag) =>
  join(tagsDir(root, repository), tag, "current", "link");
export const revisionLink = (root: string, repository: Repository, digest: Digest) =>
  join(repositoriesDir(root), repository, "_manifests", "revisions", "sha256", hexOf(digest), "link");
export const layerLink = (root: string, repository: Repository, digest: Digest) =>
  join(repositoriesDir(root), repository, "_layers", "sha256", hexOf(digest), "link");
export const blobPath = (root: string, digest: Digest) => {
  const hex = hexOf(digest);
  return join(versionDir(root), "blobs", "sha256", hex.slice(0, 2), hex, "data");
};
