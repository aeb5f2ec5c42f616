import type { SourceConfig } from "@nearlayer/shared/config/schema";
import type { Descriptor } from "@nearlayer/shared/descriptor";
import { type Digest, digestOf } from "@nearlayer/shared/digest";
import { NearlayerError } from "@nearlayer/shared/errors";
import type { Repository } from "@nearlayer/shared/reference";
import { readBounded } from "./body.ts";
import type { Filters } from "./filters.ts";
import type { Known } from "./known.ts";
import type { FetchedManifest, Source } from "./source.ts";

/** What reading a source takes; whatever has a digest is fetched once, whoever asks for it. */
export interface Reader {
  readonly source: Source;
  readonly filters: Filters;
  readonly known: Known;
  readonly referrers: SourceConfig["referrers"];
  /** Told of every tag that has been read. */
  readonly onTag?: () => void;
  /** A manifest by its digest, from the catalog where that has it. */
  manifest(repository: Repository, digest: Digest): Promise<FetchedManifest>;
  /** The bytes of a small configuration, likewise. */
  config(repository: Repository, config: Descriptor): Promise<Uint8Array>;
}

export function createReader(
  source: Source,
  filters: Filters,
  known: Known,
  referrers: SourceConfig["referrers"],
): Reader {
  const manifest = once(async (digest: Digest, repository: Repository) => {
    const fetched = (await known.manifest(digest)) ?? (await source.getManifest(repository, digest));
    if (fetched === undefined) throw new Error(`an unconditional request was answered 304: ${digest}`);
    return fetched;
  });
  const config = once(async (digest: Digest, repository: Repository, size: number) => {
    const kept = await known.config(digest);
    return kept ?? source.withRetries(() => fetchConfig(source, repository, digest, size));
  });
  return {
    ...{ source, filters, known, referrers },
    manifest: (repository, digest) => manifest(digest, repository),
    config: (repository, { digest, size }) => config(digest, repository, size),
  };
}

async function fetchConfig(source: Source, repository: Repository, digest: Digest, size: number): Promise<Uint8Array> {
  const bytes = await source.readBlob(repository, digest, 0, ({ pour }) =>
    readBounded(pour, size, `configuration ${digest}`),
  );
  if (digestOf(bytes) === digest) return bytes;
  throw new NearlayerError("DIGEST_MISMATCH", `configuration ${digest}: the registry sent other bytes`);
}

/** Remembers what came of each digest, and shares what is under way. What failed is tried again by who asks next. */
function once<Rest extends unknown[], T>(
  fetch: (digest: Digest, ...rest: Rest) => Promise<T>,
): (digest: Digest, ...rest: Rest) => Promise<T> {
  const results = new Map<Digest, Promise<T>>();
  return (digest, ...rest) => {
    const before = results.get(digest);
    if (before !== undefined) return before;
    const result = fetch(digest, ...rest);
    results.set(digest, result);
    result.catch(() => results.delete(digest));
    return result;
  };
}
