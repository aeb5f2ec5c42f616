import type { Config, SourceConfig } from "@nearlayer/shared/config/schema";
import type { Digest } from "@nearlayer/shared/digest";
import { NearlayerError } from "@nearlayer/shared/errors";
import { isDiskFull } from "@nearlayer/shared/exit";
import type { Reference, Repository } from "@nearlayer/shared/reference";
import { planSync } from "../plan/plan.ts";
import { createFilters } from "../source/filters.ts";
import { readImage, type SourceImage } from "../source/image.ts";
import type { Known } from "../source/known.ts";
import { createReader, type Reader } from "../source/reader.ts";
import { putBlob } from "../store/blob-file.ts";
import { ingest } from "../store/ingest.ts";
import { type Failure, failureOf } from "./failure.ts";
import { fetchBlobs } from "./fetch-blobs.ts";
import type { Run } from "./run.ts";
import { requireSource, withSource } from "./source.ts";

export interface FetchedImage {
  readonly reference: string;
  readonly digest: Digest;
}

/** What came into the store. */
export interface FetchResult {
  readonly images: readonly FetchedImage[];
  readonly fetched: { readonly blobs: number; readonly bytes: number };
  readonly failures: readonly Failure[];
}

/** The catalog is not asked: what it knows need not be in the store. */
const NOTHING_KNOWN: Known = {
  tag: async () => undefined,
  manifest: async () => undefined,
  isIn: async () => false,
  hasTags: async () => false,
  config: async () => undefined,
  hasReferrersApi: false,
};

interface Context {
  readonly root: string;
  readonly run: Run;
  readonly settings: SourceConfig;
  readonly reader: Reader;
}

/** A blob of a repository. */
export interface BlobReference {
  readonly repository: Repository;
  readonly digest: Digest;
}

/**
 * Brings images into the store, and nowhere else: their manifests, configurations and layers, for the platforms of the
 * configuration; and single blobs. The store need not be locked: blobs are only added.
 */
export async function fetchIntoStore(
  config: Config,
  wanted: { readonly images: readonly Reference[]; readonly blobs: readonly BlobReference[] },
  run: Run,
): Promise<FetchResult> {
  const settings = requireSource(config);
  return withSource(settings, run, async (source) => {
    const reader = createReader(source, createFilters(settings), NOTHING_KNOWN, "never");
    const context = { root: config.root, run, settings, reader };
    const result = { images: [] as FetchedImage[], fetched: { blobs: 0, bytes: 0 }, failures: [] as Failure[] };
    const count = ({ blobs, bytes }: FetchResult["fetched"]) => {
      result.fetched.blobs += blobs;
      result.fetched.bytes += bytes;
    };
    const attempt = async (reference: Reference, work: () => Promise<void>) => {
      try {
        await work();
      } catch (error) {
        run.signal.throwIfAborted();
        if (isDiskFull(error)) throw error;
        result.failures.push(failureOf(reference, error));
      }
    };
    for (const blob of wanted.blobs) await attempt(blob, async () => count(await fetchBlob(context, blob)));
    for (const reference of await expand(reader, wanted.images)) {
      await attempt(reference, async () => {
        const digest = await fetchImage(context, reference, count);
        result.images.push({ reference: nameOf(reference), digest });
      });
    }
    return result;
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

async function fetchImage(
  { root, run, settings, reader }: Context,
  reference: Reference,
  count: (fetched: FetchResult["fetched"]) => void,
): Promise<Digest> {
  const { repository } = reference;
  run.progress.phase(`reading ${nameOf(reference)}`);
  const named = reference.digest ?? reference.tag;
  const top = named && (await reader.source.getManifest(repository, named));
  const image = top && (await readImage(reader, repository, top, reader.filters.platform));
  if (image === undefined) {
    throw new NearlayerError("NOT_FOUND", `${nameOf(reference)} has nothing for the platforms that are wanted`, {
      hint: "see source.platforms",
    });
  }
  const { blobs } = planSync([{ repository, image }]);
  const { fetched, errors } = await fetchBlobs({ root, run }, reader.source, blobs.values(), settings.concurrency);
  count(fetched);
  for (const error of errors.values()) throw error;
  await putManifests(root, repository, image);
  return image.digest;
}

async function fetchBlob({ root, run, reader }: Context, { repository, digest }: BlobReference) {
  const { source } = reader;
  const ref = `${repository}@${digest}`;
  run.progress.phase("fetching");
  const transfer = run.progress.begin(ref, undefined);
  const options = { signal: run.signal, onOffset: transfer.at };
  try {
    const bytes = await source.withRetries(() =>
      ingest(root, { digest, ref }, (offset, write) => source.readBlob(repository, digest, offset, write), options),
    );
    return { blobs: bytes > 0 ? 1 : 0, bytes };
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
