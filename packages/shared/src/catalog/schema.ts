import type { ColumnType, Generated } from "kysely";
import type { Digest, Hex } from "../digest.ts";
import type { Platform } from "../platform.ts";
import type { Repository, Tag } from "../reference.ts";
import type { EventsSchema } from "./schema-events.ts";
import type { NetworkSchema } from "./schema-network.ts";

/**
 * The tables of the catalog. Sizes are in bytes, times are ISO 8601 in UTC. What a published generation holds is
 * told by `platform_blob` alone: the blobs with `since <= n` and (`until` empty or `> n`).
 *
 * The `revision` of a row is the one in which it was last changed for the mirror list, which asks for what is newer than
 * what it has. Writers stamp it with `pendingRevision`.
 */
export interface CatalogSchema extends NetworkSchema, EventsSchema {
  repository: { name: Repository };
  /** `missing` counts the complete listings in a row that the tag was not in; it is removed after two. */
  tag: { repository: Repository; name: Tag; digest: Digest; missing: Generated<number>; revision: Generated<number> };
  manifest: {
    digest: Digest;
    mediaType: string;
    /** The exact bytes, as the source sent them. */
    bytes: Uint8Array;
    /** The type it is found under among referrers; empty for a plain index. */
    artifactType: string | null;
    /** What it refers to, when it is a signature, an attestation and the like. */
    subject: Digest | null;
    /** Its own annotations, as JSON, for the answer of the referrers API. */
    annotations: string | null;
    /** Since when no tag leads to it any more; it is removed after the grace period. */
    unneededSince: Generated<string | null>;
  };
  /** Which manifests can be asked for by digest in which repository. */
  repositoryManifest: { repository: Repository; digest: Digest; revision: Generated<number> };
  /** What a manifest points at, in its order. */
  manifestRef: { parent: Digest; position: number; child: Digest; role: "config" | "layer" | "manifest" };
  /** The platforms that a manifest's blobs are published under. */
  manifestPlatform: { digest: Digest; platform: Platform };
  /** Every blob that is in the store; `content` is kept for configurations, which are served from the catalog. */
  blob: { digest: Digest; size: number; content: Uint8Array | null };
  /**
   * A blob in a platform of the tree, from which generation on and, once dropped, until which. A tombstone stands from
   * the moment that no manifest needs it: nobody is sent to a mirror for it any more.
   */
  platformBlob: {
    platform: Platform;
    digest: Digest;
    since: number;
    until: number | null;
    tombstonedAt: Generated<string | null>;
    revision: Generated<number>;
  };
  generation: { platform: Platform; number: number; time: string; files: number; bytes: number; listSha256: Hex };
  /**
   * The generation of a platform that a publish target was given last, whole; `fullAt` is when all of its tree was last
   * compared with ours, and not what has changed alone.
   */
  published: { target: string; platform: Platform; number: number; fullAt: string };
  /**
   * A manifest as it is served with `urls` on its layers, kept as its recipe: the same original and URLs make the same
   * bytes, on every instance and after every restart. `urls` is the recipe as JSON; the mirror list's delivery/recipe.ts
   * says what it holds.
   */
  variant: { digest: Digest; original: Digest; urls: string; createdAt: ColumnType<string, string, never> };
  /**
   * `revision` counts the changes that the mirror list must notice; `removedImages` and `removedBlobs` are the newest one
   * in which rows were taken out: of `tag` and `repository_manifest`, and of `blob`. `referrersApi` is 1 when the source was seen to have
   * one, 0 when it was seen to have none. `mirrorRevision` counts the changes of `mirror`. `auditedAt` is when
   * `syncer listen` last looked through all of the source, in epoch milliseconds.
   */
  meta: {
    key: "revision" | "removedImages" | "removedBlobs" | "referrersApi" | "mirrorRevision" | "auditedAt";
    value: Generated<number>;
  };
}
