import { setImmediate as yieldToOthers } from "node:timers/promises";
import { latestGenerations } from "@nearlayer/shared/catalog/generations";
import { type Catalog, readRevision } from "@nearlayer/shared/catalog/open";
import {
  countBlobs,
  readContentDigests,
  readContents,
  readManifests,
  readPlacements,
  readRepositories,
  readRepositoryManifests,
  readTags,
} from "@nearlayer/shared/catalog/served";
import { readMoment } from "@nearlayer/shared/catalog/transaction";
import type { Digest } from "@nearlayer/shared/digest";
import type { Repository, Tag } from "@nearlayer/shared/reference";
import { type BlobTable, createBlobTable } from "./blob-table.ts";
import type { ServedManifest, ServedRepository, Snapshot } from "./snapshot.ts";

/** SQLite answers on our own thread: requests get their turn after so many blobs. */
const PAGE = 2000;

/**
 * Reads one moment of the catalog. What is named by digest never changes, so that it is taken over from `previous`
 * and only the new is read.
 */
export async function readSnapshot(catalog: Catalog, previous: Snapshot): Promise<Snapshot> {
  return readMoment(catalog, async (moment) => {
    const revision = await readRevision(moment);
    const repositories = await readServedRepositories(moment);
    const manifests = await readServedManifests(moment, repositories, previous.manifests);
    const generations = await latestGenerations(moment);
    return {
      revision,
      repositories,
      repositoryNames: [...repositories.keys()].sort(),
      manifests,
      referrers: referrersOf(manifests),
      blobs: await readBlobs(moment),
      contents: await readServedContents(moment, previous.contents),
      generations: new Map(generations.map(({ platform, number }) => [platform, number])),
    };
  });
}

async function readServedRepositories(catalog: Catalog): Promise<Map<Repository, ServedRepository>> {
  const found = new Map<Repository, { tags: Map<Tag, Digest>; manifests: Set<Digest> }>();
  for (const name of await readRepositories(catalog)) found.set(name, { tags: new Map(), manifests: new Set() });
  for (const { repository, name, digest } of await readTags(catalog)) found.get(repository)?.tags.set(name, digest);
  for (const { repository, digest } of await readRepositoryManifests(catalog)) {
    found.get(repository)?.manifests.add(digest);
  }
  const withNames = ({ tags, manifests }: { tags: Map<Tag, Digest>; manifests: Set<Digest> }): ServedRepository => ({
    tags,
    tagNames: [...tags.keys()].sort(),
    manifests,
  });
  return new Map([...found].map(([name, repository]) => [name, withNames(repository)]));
}

async function readServedManifests(
  catalog: Catalog,
  repositories: ReadonlyMap<Repository, ServedRepository>,
  previous: ReadonlyMap<Digest, ServedManifest>,
): Promise<Map<Digest, ServedManifest>> {
  const manifests = new Map<Digest, ServedManifest>();
  const missing = new Set<Digest>();
  for (const repository of repositories.values()) {
    for (const digest of repository.manifests) {
      const known = previous.get(digest);
      if (known === undefined) missing.add(digest);
      else manifests.set(digest, known);
    }
  }
  for await (const rows of readManifests(catalog, [...missing])) {
    for (const { digest, mediaType, bytes, artifactType, subject, annotations } of rows) {
      manifests.set(digest, {
        digest,
        mediaType,
        bytes,
        ...(artifactType === null ? {} : { artifactType }),
        ...(subject === null ? {} : { subject }),
        ...(annotations === null ? {} : { annotations: JSON.parse(annotations) as Record<string, string> }),
      });
    }
    await yieldToOthers();
  }
  return manifests;
}

function referrersOf(manifests: ReadonlyMap<Digest, ServedManifest>): Map<Digest, Digest[]> {
  const referrers = new Map<Digest, Digest[]>();
  for (const { digest, subject } of manifests.values()) {
    if (subject === undefined) continue;
    const known = referrers.get(subject);
    if (known === undefined) referrers.set(subject, [digest]);
    else known.push(digest);
  }
  for (const digests of referrers.values()) digests.sort();
  return referrers;
}

async function readServedContents(
  catalog: Catalog,
  previous: ReadonlyMap<Digest, Uint8Array>,
): Promise<Map<Digest, Uint8Array>> {
  const contents = new Map<Digest, Uint8Array>();
  const missing: Digest[] = [];
  for (const digest of await readContentDigests(catalog)) {
    const known = previous.get(digest);
    if (known === undefined) missing.push(digest);
    else contents.set(digest, known);
  }
  for await (const rows of readContents(catalog, missing)) {
    for (const { digest, content } of rows) if (content !== null) contents.set(digest, content);
    await yieldToOthers();
  }
  return contents;
}

async function readBlobs(catalog: Catalog): Promise<BlobTable> {
  const table = createBlobTable(await countBlobs(catalog));
  let newest: Digest | undefined;
  for await (const rows of readPlacements(catalog, PAGE)) {
    for (const { digest, size, platform, since } of rows) {
      // The rows of one blob stand one after another.
      if (digest !== newest) table.add(digest, Number(size));
      if (platform !== null && since !== null) table.place(digest, { platform, since });
      newest = digest;
    }
    await yieldToOthers();
  }
  return table.build();
}
