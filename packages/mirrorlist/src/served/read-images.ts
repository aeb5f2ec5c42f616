import { setImmediate as yieldToOthers } from "node:timers/promises";
import type { Catalog } from "@nearlayer/shared/catalog/open";
import { memberPages, readManifests, tagPages } from "@nearlayer/shared/catalog/served";
import type { Digest } from "@nearlayer/shared/digest";
import { addManifest, changeRepositories, type Manifests, type Repositories } from "./images.ts";
import { pack } from "./packed.ts";
import type { ServedManifest } from "./snapshot.ts";

/** Repositories and manifests, and which of these were read now. */
export interface ReadImages extends Repositories, Manifests {
  readonly fresh: readonly ServedManifest[];
}

const NOTHING: Repositories = { repositories: new Map(), repositoryNames: [] };

/** All that can be named. A manifest that `previous` has is taken over, and the others are read. */
export function readImages(catalog: Catalog, previous: Manifests): Promise<ReadImages> {
  return readInto(catalog, NOTHING, { manifests: new Map(), referrers: new Map() }, previous, -1);
}

/** What could be named before, with what came after a revision. Cost: that of the changes. */
export function readImageChanges(
  catalog: Catalog,
  before: Repositories & Manifests,
  after: number,
): Promise<ReadImages> {
  const { manifests, referrers } = before;
  return readInto(catalog, before, { manifests, referrers }, before, after);
}

async function readInto(
  catalog: Catalog,
  before: Repositories,
  into: Manifests,
  previous: Manifests,
  after: number,
): Promise<ReadImages> {
  const changes = changeRepositories(before);
  // By itself: the same text stands in many rows, and is kept once.
  const missing = new Map<Digest, Digest>();
  const textOf = (digest: Digest) => missing.get(digest) ?? previous.manifests.get(digest)?.digest ?? digest;
  for await (const rows of memberPages(catalog, after)) {
    for (const { repository, digest } of rows) {
      const known = previous.manifests.get(digest);
      if (known !== undefined) addManifest(into, known);
      else if (!missing.has(digest)) missing.set(digest, digest);
      changes.addManifest(repository, textOf(digest));
    }
    await yieldToOthers();
  }
  for await (const rows of tagPages(catalog, after)) {
    for (const { repository, name, digest } of rows) changes.setTag(repository, name, textOf(digest));
    await yieldToOthers();
  }
  const fresh = await readFresh(catalog, missing);
  for (const manifest of fresh) addManifest(into, manifest);
  return { ...changes.build(), ...into, fresh };
}

async function readFresh(catalog: Catalog, missing: ReadonlyMap<Digest, Digest>): Promise<ServedManifest[]> {
  const fresh: ServedManifest[] = [];
  for await (const rows of readManifests(catalog, [...missing.keys()])) {
    for (const { digest, mediaType, bytes, artifactType, subject, annotations } of rows) {
      fresh.push({
        digest: missing.get(digest) ?? digest,
        mediaType,
        ...pack(bytes),
        ...(artifactType === null ? {} : { artifactType }),
        ...(subject === null ? {} : { subject }),
        ...(annotations === null ? {} : { annotations: JSON.parse(annotations) as Record<string, string> }),
      });
    }
    await yieldToOthers();
  }
  return fresh;
}
