import type { Descriptor } from "@nearlayer/shared/descriptor";
import type { Digest } from "@nearlayer/shared/digest";
import type { Repository, Tag } from "@nearlayer/shared/reference";
import type { Pour } from "../pour.ts";

/** A manifest as a source gave it; `digest` is of these very bytes. */
export interface FetchedManifest {
  readonly digest: Digest;
  /** What the source says that it is, if it says so. */
  readonly contentType: string | undefined;
  readonly bytes: Uint8Array;
}

/** The body of a blob from `offset` on. A registry that does not know Range starts at 0 again. */
export interface BlobBody {
  readonly offset: number;
  readonly pour: Pour;
}

/** All repositories, or why the source lists none (a registry need not have a catalog). */
export type CatalogListing =
  | { readonly repositories: readonly Repository[] }
  | { readonly repositories: undefined; readonly reason: string };

/** Where images come from: a registry over HTTP, or a registry's own storage on disk. It is only ever read. */
export interface Source {
  /** How people know it: the registry's URL, or the folder. */
  readonly name: string;
  listRepositories(): Promise<CatalogListing>;
  /** All tags of a repository: a listing that does not come to its end throws. */
  listTags(repository: Repository): Promise<readonly Tag[]>;
  /** The manifest, or undefined when it is still the one with the digest `known`. */
  getManifest(repository: Repository, reference: Tag | Digest, known?: Digest): Promise<FetchedManifest | undefined>;
  /** What refers to a manifest by `subject`, or undefined where the source cannot say (no referrers API). */
  getReferrers(repository: Repository, digest: Digest): Promise<readonly Descriptor[] | undefined>;
  /** Hands the body of a blob to `consume`; a single attempt. */
  readBlob<T>(
    repository: Repository,
    digest: Digest,
    offset: number,
    consume: (blob: BlobBody) => Promise<T>,
  ): Promise<T>;
  /** The file that is a blob, for a source that lies on a disk of this machine. */
  fileOfBlob?(repository: Repository, digest: Digest): Promise<string>;
  /** Does something again, within bounds, for as long as it fails in passing: for what is made of `readBlob`. */
  withRetries<T>(work: () => Promise<T>): Promise<T>;
  /** Breaks off what is under way, which then fails. */
  close(): Promise<void>;
}
