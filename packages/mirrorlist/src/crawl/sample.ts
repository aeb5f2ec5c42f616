import type { CarriedBlob } from "@nearlayer/shared/catalog/carried";

/** A random number from 0 up to, and without, 1. */
export type Random = () => number;

/**
 * `count` of these blobs, or all where there are no more; the newest first among the likely. A blob of the newest
 * generation is as likely as all before it together, one of the second newest as all before that, and so on: mirrors
 * lack what is new. `blobs` come with the newest first.
 */
export function sampleOf(blobs: readonly CarriedBlob[], count: number, random: Random): CarriedBlob[] {
  if (blobs.length <= count) return [...blobs];
  const rest = groupBySince(blobs);
  const chosen: CarriedBlob[] = [];
  while (chosen.length < count && rest.length > 0) {
    let group = 0;
    while (group < rest.length - 1 && random() < 0.5) group += 1;
    const members = rest[group] ?? [];
    const [picked] = members.splice(Math.floor(random() * members.length), 1);
    if (picked !== undefined) chosen.push(picked);
    if (members.length === 0) rest.splice(group, 1);
  }
  return chosen;
}

function groupBySince(blobs: readonly CarriedBlob[]): CarriedBlob[][] {
  const groups = new Map<number, CarriedBlob[]>();
  for (const blob of blobs) {
    const group = groups.get(blob.since);
    if (group === undefined) groups.set(blob.since, [blob]);
    else group.push(blob);
  }
  return [...groups.values()];
}
