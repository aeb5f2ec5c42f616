import type { Catalog } from "../open.ts";
import { type TagRow, tagPages } from "../served.ts";

/** All tags that are in the catalog. */
export async function readTags(catalog: Catalog): Promise<TagRow[]> {
  return (await Array.fromAsync(tagPages(catalog, -1))).flat();
}
