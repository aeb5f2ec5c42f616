import type { Digest } from "@nearlayer/shared/digest";
import type { Repository, Tag } from "@nearlayer/shared/reference";
import type { ServedManifest, ServedRepository } from "./snapshot.ts";

/** The repositories of a snapshot. */
export interface Repositories {
  readonly repositories: ReadonlyMap<Repository, ServedRepository>;
  readonly repositoryNames: readonly Repository[];
}

/**
 * Manifests by digest, as they are read. Snapshots share them: what a digest names never changes, and whether it may be
 * asked for is told by the repository, so that a request with an older snapshot sees nothing that it should not.
 */
export interface Manifests {
  readonly manifests: Map<Digest, ServedManifest>;
  /** The manifests that refer to a digest, sorted. */
  readonly referrers: Map<Digest, readonly Digest[]>;
}

/** Adds a manifest; once is enough, however often it is done. */
export function addManifest({ manifests, referrers }: Manifests, manifest: ServedManifest): void {
  const { digest, subject } = manifest;
  manifests.set(digest, manifest);
  if (subject === undefined) return;
  const known = referrers.get(subject) ?? [];
  if (!known.includes(digest)) referrers.set(subject, [...known, digest].sort());
}

/** Repositories with changes: those that are changed are copied, the others taken over. */
export interface RepositoryChanges {
  setTag(repository: Repository, tag: Tag, digest: Digest): void;
  addManifest(repository: Repository, digest: Digest): void;
  build(): Repositories;
}

export function changeRepositories(before: Repositories): RepositoryChanges {
  const changed = new Map<Repository, { tags: Map<Tag, Digest>; manifests: Set<Digest> }>();
  const of = (name: Repository) => {
    let repository = changed.get(name);
    if (repository === undefined) {
      const known = before.repositories.get(name);
      repository = { tags: new Map(known?.tags), manifests: new Set(known?.manifests) };
      changed.set(name, repository);
    }
    return repository;
  };
  return {
    setTag: (name, tag, digest) => of(name).tags.set(tag, digest),
    addManifest: (name, digest) => of(name).manifests.add(digest),
    build() {
      if (changed.size === 0) return before;
      const repositories = new Map(before.repositories);
      for (const [name, { tags, manifests }] of changed) {
        repositories.set(name, { tags, tagNames: [...tags.keys()].sort(), manifests });
      }
      const isSame = repositories.size === before.repositories.size;
      return { repositories, repositoryNames: isSame ? before.repositoryNames : [...repositories.keys()].sort() };
    },
  };
}
