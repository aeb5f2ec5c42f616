import { latestGenerations } from "@nearlayer/shared/catalog/generations";
import { type Catalog, readRevision } from "@nearlayer/shared/catalog/open";
import { readRemovals } from "@nearlayer/shared/catalog/served";
import { readMoment } from "@nearlayer/shared/catalog/transaction";
import { readBlobChanges, readBlobs } from "./read-blobs.ts";
import { addContents, keepContents, readAllContents } from "./read-contents.ts";
import { readImageChanges, readImages } from "./read-images.ts";
import type { Snapshot } from "./snapshot.ts";

/**
 * Reads one moment of the catalog: what has changed since `previous`, or all of it when that is empty, and when rows
 * were taken out, which their absence alone tells. The event loop is left to others every few milliseconds.
 */
export async function readSnapshot(catalog: Catalog, previous: Snapshot): Promise<Snapshot> {
  return readMoment(catalog, async (moment) => {
    const after = previous.revision;
    const isFirst = after < 0;
    const revision = await readRevision(moment);
    const removed = await readRemovals(moment);
    const { fresh, ...images } =
      isFirst || removed.images > after
        ? await readImages(moment, previous)
        : await readImageChanges(moment, previous, after);
    const blobs =
      isFirst || removed.blobs > after ? await readBlobs(moment) : await readBlobChanges(moment, previous.blobs, after);
    let { contents } = previous;
    if (isFirst) contents = await readAllContents(moment);
    else if (removed.blobs > after) contents = await keepContents(contents, blobs);
    if (!isFirst) await addContents(moment, contents, fresh);
    const generations = await latestGenerations(moment);
    return {
      revision,
      ...images,
      blobs,
      contents,
      generations: new Map(generations.map(({ platform, number }) => [platform, number])),
    };
  });
}
