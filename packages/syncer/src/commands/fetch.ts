import type { Config, SourceConfig } from "@nearlayer/shared/config/schema";
import type { Digest } from "@nearlayer/shared/digest";
import { isNearlayerError, NearlayerError } from "@nearlayer/shared/errors";
import type { Reference } from "@nearlayer/shared/reference";
import { planSync } from "../plan/plan.ts";
import { createFilters } from "../source/filters.ts";
import { readImage, type SourceImage } from "../source/image.ts";
import type { Known } from "../source/known.ts";
import { createReader, type Reader } from "../source/reader.ts";
import type { FetchedManifest } from "../source/source.ts";
import { putBlob } from "../store/blob-file.ts";
import { ingest } from "../store/ingest.ts";
import { type Failure, failureOf } from "./failure.ts";
import { fetchBlobs } from "./fetch-blobs.ts";
import type { Run } from "./run.ts";
import { requireSource, withSource } from "./source.ts";

/** What came into the store. */
export interface FetchResult {
  readonly images: readonly { readonly reference: string; readonly digest: Digest }[];
  readonly fetched: { readonly blobs: number; readonly bytes: number };
  readonly failures: readonly Failure[];
}

/** The catalog is not asked: what it knows need not be in the store. */
const NOTHING_KNOWN: Known = {
  tag: async () => undefined,
  manifest: async () => undefined,
  isIn: async () => false,
  config: async () => undefined,
  hasReferrersApi: false,
};

interface Context {
  readonly root: string;
  readonly run: Run;
  readonly settings: SourceConfig;
  readonly reader: Reader;
}

/**
 * Brings images into the store, and nowhere else: their manifests, configurations and layers, for the platforms of the
 * configuration. A digest may be a blob's too. The store need not be locked: blobs are only added.
 */
export async function fetchImages(config: Config, references: readonly Reference[], run: Run): Promise<FetchResult> {
  const settings = requireSource(config);
  return withSource(settings, run, async (source) => {
    const reader = createReader(source, createFilters(settings), NOTHING_KNOWN, "never");
    const context = { root: config.root, run, settings, reader };
    const total = { blobs: 0, bytes: 0 };
    const images: { reference: string; digest: Digest }[] = [];
    const failures: Failure[] = [];
    for (const reference of await expand(reader, references)) {
      try {
        const { digest, fetched, error } = await fetchOne(context, reference);
        total.blobs += fetched.blobs;
        total.bytes += fetched.bytes;
        if (error !== undefined) throw error;
        images.push({ reference: nameOf(reference), digest });
      } catch (error) {
        run.signal.throwIfAborted();
        if (isNearlayerError(error, "DISK_FULL")) throw error;
        failures.push(failureOf(reference, error));
      }
    }
    return { images, fetched: total, failures };
  });
}

/** A repository stands for all of its tags. */
async function expand({ source, filters }: Reader, references: readonly Reference[]): Promise<Reference[]> {
  const lists = references.map(async ({ repository, ...what }): Promise<Reference[]> => {
    if (what.tag !== undefined || what.digest !== undefined) return [{ repository, ...what }];
    return (await source.listTags(repository)).filter(filters.tag).map((tag) => ({ repository, tag }));
  });
  return (await Promise.all(lists)).flat();
}

const nameOf = ({ repository, tag, digest }: Reference) =>
  digest === undefined ? `${repository}:${tag}` : `${repository}@${digest}`;

interface FetchedOne {
  readonly digest: Digest;
  readonly fetched: FetchResult["fetched"];
  /** Of one of its blobs. */
  readonly error?: unknown;
}

async function fetchOne(context: Context, reference: Reference): Promise<FetchedOne> {
  const { root, run, settings, reader } = context;
  const { repository } = reference;
  run.progress.phase(`reading ${nameOf(reference)}`);
  const top = await readTop(reader, reference);
  if (top === undefined) return fetchBlobAlone(context, reference);
  const image = await readImage(reader, repository, top, reader.filters.platform);
  if (image === undefined) {
    throw new NearlayerError("NOT_FOUND", `${nameOf(reference)} has nothing for the platforms that are wanted`, {
      hint: "see source.platforms",
    });
  }
  const { blobs } = planSync([{ repository, image }]);
  const { fetched, errors } = await fetchBlobs({ root, run }, reader.source, blobs.values(), settings.concurrency);
  const [error] = errors.values();
  if (error !== undefined) return { digest: top.digest, fetched, error };
  await putManifests(root, repository, image);
  return { digest: top.digest, fetched };
}

/** The manifest, or undefined for a digest that is no manifest's. */
async function readTop(reader: Reader, { repository, tag, digest }: Reference): Promise<FetchedManifest | undefined> {
  if (digest === undefined) return tag && reader.source.getManifest(repository, tag);
  try {
    return await reader.source.getManifest(repository, digest);
  } catch (error) {
    if (isNearlayerError(error, "NOT_FOUND")) return undefined;
    throw error;
  }
}

async function fetchBlobAlone({ root, run, reader }: Context, reference: Reference): Promise<FetchedOne> {
  const { repository, digest } = reference;
  if (digest === undefined) throw new Error("a tag without a manifest");
  const { source } = reader;
  const ref = nameOf(reference);
  const transfer = run.progress.begin(ref, undefined);
  const options = { signal: run.signal, onOffset: transfer.at };
  try {
    const bytes = await source.withRetries(() =>
      ingest(root, { digest, ref }, (offset, write) => source.readBlob(repository, digest, offset, write), options),
    );
    return { digest, fetched: { blobs: bytes > 0 ? 1 : 0, bytes } };
  } finally {
    transfer.end();
  }
}

/** Children come before their parents: a manifest that is there has all that it names. */
async function putManifests(root: string, repository: string, { manifests }: SourceImage): Promise<void> {
  for (const { digest, bytes } of manifests) {
    await putBlob(root, { digest, size: bytes.length, ref: `${repository}@${digest}` }, bytes);
  }
}
