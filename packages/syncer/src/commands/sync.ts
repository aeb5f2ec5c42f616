import { digestOfTag, type ImageRecord, manifestOf, recordImage } from "@nearlayer/shared/catalog/images";
import type { Config, SourceConfig } from "@nearlayer/shared/config/schema";
import type { Digest } from "@nearlayer/shared/digest";
import { type ErrorCode, isNearlayerError, messageOf, NearlayerError } from "@nearlayer/shared/errors";
import { isDiskFull } from "@nearlayer/shared/exit";
import type { Generation } from "@nearlayer/shared/generation";
import type { Reference } from "@nearlayer/shared/reference";
import { type PlannedImage, planSync, type SyncPlan } from "../plan/plan.ts";
import { makeGenerations, restoreState } from "../publish/generations.ts";
import { createRegistryClient, type RegistryClient } from "../source/client.ts";
import { createFilters, type Known, type TagName, walkSource } from "../source/walk.ts";
import { carryBlob, readContents, showImage } from "./carry.ts";
import { type StoreContext, withStore } from "./context.ts";

/** Something that could not be synced, by name, and why. */
export interface Failure {
  readonly repository: string;
  readonly tag?: string;
  readonly code: ErrorCode | "INTERNAL";
  readonly message: string;
}

/** What a sync did. */
export interface SyncResult {
  readonly checked: number;
  readonly unchanged: number;
  readonly updated: readonly string[];
  readonly failures: readonly Failure[];
  /** How many blobs came from the source, and their bytes. */
  readonly fetched: { readonly blobs: number; readonly bytes: number };
  readonly generations: readonly Generation[];
}

/**
 * Brings the tree up to what the source has: reads the source, plans, fetches the blobs that the store has not got, shows
 * them in the tree, records each image when all of it is there, and makes the generations. What fails, fails alone.
 */
export async function sync(config: Config, references: readonly Reference[] = []): Promise<SyncResult> {
  const source = requireSource(config);
  return withStore(config, "syncer sync", async (context) => {
    await restoreState(context.catalog, context.root, context.signer);
    const client = createRegistryClient(source.url, source.concurrency);
    try {
      return await syncFrom(client, source, context, references);
    } finally {
      await client.close();
    }
  });
}

async function syncFrom(
  client: RegistryClient,
  source: SourceConfig,
  context: StoreContext,
  references: readonly Reference[],
): Promise<SyncResult> {
  const walk = await walkSource(client, createFilters(source), knownOf(context), references);
  const changed = walk.tags.filter((tag) => tag.outcome === "changed");
  const plan = planSync(changed);

  const { fetched, errors } = await fetchBlobs(context, client, plan);
  const failures = [
    ...walk.failedRepositories.map(({ repository, error }) => failureOf({ repository }, error)),
    ...walk.tags.flatMap((tag) => (tag.outcome === "failed" ? [failureOf(tag, tag.error)] : [])),
  ];
  const updated: string[] = [];
  for (const planned of plan.images) {
    const broken = planned.blobs.find((digest) => errors.has(digest));
    if (broken !== undefined) {
      failures.push(failureOf(planned, errors.get(broken)));
      continue;
    }
    try {
      await showImage(context, planned, plan.blobs);
      await recordImage(context.catalog, await recordOf(context, planned));
      updated.push(`${planned.repository}:${planned.tag}`);
    } catch (error) {
      if (isDiskFull(error)) throw error;
      failures.push(failureOf(planned, error));
    }
  }
  const generations = await makeGenerations(context.catalog, context.root, context.signer, new Date());
  const unchanged = walk.tags.filter((tag) => tag.outcome === "unchanged").length;
  return { checked: walk.tags.length, unchanged, updated, failures, fetched, generations };
}

/** Fetches every planned blob that the store has not got. Only a full disk stops the rest. */
async function fetchBlobs(context: StoreContext, client: RegistryClient, plan: SyncPlan) {
  const fetched = { blobs: 0, bytes: 0 };
  const errors = new Map<Digest, unknown>();
  await Promise.all(
    [...plan.blobs.values()].map(async (blob) => {
      try {
        const bytes = await carryBlob(context, client, blob);
        if (bytes > 0) fetched.blobs += 1;
        fetched.bytes += bytes;
      } catch (error) {
        // The other downloads would fail the same way: they are cut off, and awaited.
        if (isDiskFull(error)) await client.close();
        errors.set(blob.digest, error);
      }
    }),
  );
  const full = [...errors.values()].find(isDiskFull);
  if (full !== undefined) throw full;
  return { fetched, errors };
}

function requireSource(config: Config): SourceConfig {
  if (config.source) return config.source;
  throw new NearlayerError("CONFIG_INVALID", "source.url is missing: which registry is to be synced?", {
    hint: "add `source: {url: http://127.0.0.1:5001}` to the configuration",
  });
}

function knownOf({ catalog }: StoreContext): Known {
  return {
    tag: ({ repository, tag }) => digestOfTag(catalog, repository, tag),
    manifest: async (digest) => {
      const found = await manifestOf(catalog, digest);
      return found && { digest, bytes: found.bytes, contentType: found.mediaType };
    },
  };
}

async function recordOf(
  context: StoreContext,
  { repository, tag, image }: PlannedImage & TagName,
): Promise<ImageRecord> {
  const contents = await readContents(context.root, image);
  return { repository, tag, digest: image.digest, manifests: image.manifests, contents };
}

function failureOf({ repository, tag }: { repository: string; tag?: string }, error: unknown): Failure {
  return {
    repository,
    ...(tag === undefined ? {} : { tag }),
    code: isNearlayerError(error) ? error.code : "INTERNAL",
    message: messageOf(error),
  };
}
