import type { Catalog } from "@nearlayer/shared/catalog/open";
import { addedPlaces, droppedPlaces, type Place, placesOf } from "@nearlayer/shared/catalog/published";
import { type Digest, fromHex, isHex } from "@nearlayer/shared/digest";
import type { Generation } from "@nearlayer/shared/generation";
import { isPlatform, type Platform } from "@nearlayer/shared/platform";
import { pubBlobName } from "@nearlayer/shared/tree";

/** Above this many names the whole tree is compared: the names are held in memory. */
const MAX_NAMES = 50_000;

/** What a pass reckons with: the newest generation of every platform, which the tree shows. */
interface NamesContext {
  readonly catalog: Catalog;
  readonly newest: readonly Generation[];
}

/** What came after these generations, or undefined when that is too much to name. */
export async function addedNames(
  { catalog, newest }: NamesContext,
  since: ReadonlyMap<Platform, number>,
): Promise<string[] | undefined> {
  const places: Place[] = [];
  for (const { platform, number } of newest) {
    const limit = MAX_NAMES + 1 - places.length;
    places.push(...(await addedPlaces(catalog, platform, { since: since.get(platform) ?? 0, until: number, limit })));
    if (places.length > MAX_NAMES) return undefined;
  }
  // A blob that another platform has already is only a new name of that file when rsync is shown both.
  const twins = await placesOf(catalog, [...new Set(places.map(({ digest }) => digest))]);
  const shown = new Map(newest.map(({ platform, number }) => [platform, number]));
  return twins.flatMap(({ platform, digest }) => (shown.has(platform) ? [pubBlobName(platform, digest)] : [])).sort();
}

/** What was dropped after these generations. */
export async function droppedNames(
  { catalog, newest }: NamesContext,
  since: ReadonlyMap<Platform, number>,
): Promise<string[]> {
  const names: string[] = [];
  for (const { platform, number } of newest) {
    const dropped = await droppedPlaces(catalog, platform, { since: since.get(platform) ?? 0, until: number });
    names.push(...dropped.map(({ digest }) => pubBlobName(platform, digest)));
  }
  return names.sort();
}

/** A blob's name in the tree, or the temporary file that a broken off rsync left of one. */
const BLOB_NAME = /^([^/]+)\/blobs\/sha256\/[0-9a-f]{2}\/(?:([0-9a-f]{64})|\.[0-9a-f]{64}\.\w{6})$/;

/** Tells the blobs that no generation holds, which go, from what is not ours, which stays. */
export async function sortExtraneous(
  catalog: Catalog,
  names: readonly string[],
): Promise<{ due: string[]; foreign: number; lost: number }> {
  const due: string[] = [];
  const blobs = new Map<string, Digest>();
  let foreign = 0;
  for (const name of names) {
    if (name.endsWith("/")) continue;
    const [found, platform = "", hex] = BLOB_NAME.exec(name) ?? [];
    if (found === undefined || !isPlatform(platform)) foreign += 1;
    else if (hex !== undefined && isHex(hex)) blobs.set(name, fromHex(hex));
    else due.push(name);
  }
  // What a generation holds and the tree has lost is the last copy, perhaps.
  const held = new Set(
    (await placesOf(catalog, [...new Set(blobs.values())])).map(({ platform, digest }) =>
      pubBlobName(platform, digest),
    ),
  );
  const useless = [...blobs.keys()].filter((name) => !held.has(name));
  return { due: [...due, ...useless].sort(), foreign, lost: blobs.size - useless.length };
}
