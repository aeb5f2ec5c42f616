import { setImmediate as yieldToOthers } from "node:timers/promises";
import type { Catalog } from "@nearlayer/shared/catalog/open";
import {
  blobPages,
  countBlobs,
  type PlacementChange,
  placementChangePages,
  placementPages,
} from "@nearlayer/shared/catalog/served";
import type { Digest } from "@nearlayer/shared/digest";
import { createBlobTable, type ServedBlob } from "./blob-table.ts";
import { type LayeredBlobs, layered, withChanges } from "./layered-blobs.ts";

/** Every blob there is. A million takes a few seconds, of which requests get their share. */
export async function readBlobs(catalog: Catalog): Promise<LayeredBlobs> {
  const table = createBlobTable(await countBlobs(catalog));
  for await (const rows of blobPages(catalog)) {
    for (const { digest, size } of rows) table.add(digest, Number(size));
    await yieldToOthers();
  }
  for await (const rows of placementPages(catalog)) {
    for (const { digest, platform, since } of rows) table.place(digest, { platform, since });
    await yieldToOthers();
  }
  return layered(table.build());
}

/** What has become of the blobs after a revision. Cost: that of the changes. */
export async function readBlobChanges(catalog: Catalog, blobs: LayeredBlobs, after: number): Promise<LayeredBlobs> {
  let current = blobs;
  let changes = new Map<Digest, ServedBlob>();
  for await (const rows of placementChangePages(catalog, after)) {
    for (const row of rows) {
      const changed = change(changes.get(row.digest) ?? current.get(row.digest), row);
      if (changed !== undefined) changes.set(row.digest, changed);
    }
    await yieldToOthers();
    // A sync of very much: never more at a time than what is merged at a time.
    if (changes.size >= 20_000) {
      current = await withChanges(current, changes);
      changes = new Map();
    }
  }
  return withChanges(current, changes);
}

/** A blob as it was, but for what is said of one platform. Undefined for one that is not there. */
function change(known: ServedBlob | undefined, row: PlacementChange): ServedBlob | undefined {
  const { platform, since, until, tombstonedAt } = row;
  const size = row.size === null ? known?.size : Number(row.size);
  if (size === undefined) return undefined;
  const others = (known?.placements ?? []).filter((placement) => placement.platform !== platform);
  const isThere = until === null && tombstonedAt === null;
  const placements = isThere ? [...others, { platform, since }] : others;
  return { size, placements: placements.sort((a, b) => (a.platform < b.platform ? -1 : 1)) };
}
