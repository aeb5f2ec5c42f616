import { type Descriptor, descriptorSchema } from "@nearlayer/shared/descriptor";
import { z } from "zod";
import { nextPage } from "./link.ts";
import type { Page } from "./listing.ts";

/** A manifest with more referrers than this many pages of them is a loop. */
const MAX_PAGES = 100;

/** What we use of the index that the referrers API answers; unknown kinds of descriptors are left out. */
const indexSchema = z.object({ manifests: z.array(z.unknown()) });

/**
 * The descriptors in the pages of a referrers listing (distribution-spec, "Listing Referrers"). Undefined when `getPage`
 * has none to give, or when what it gives is no index: that registry has no referrers API.
 */
export async function collectReferrers(
  first: URL,
  getPage: (url: URL) => Promise<Page | undefined>,
): Promise<readonly Descriptor[] | undefined> {
  const found = new Map<string, Descriptor>();
  let url: URL | undefined = first;
  for (let pages = 0; url !== undefined && pages < MAX_PAGES; pages += 1) {
    const page: Page | undefined = await getPage(url);
    const index = indexSchema.safeParse(page?.document);
    if (page === undefined || !index.success) return undefined;
    for (const entry of index.data.manifests) {
      const descriptor = descriptorSchema.safeParse(entry);
      if (descriptor.success) found.set(descriptor.data.digest, descriptor.data);
    }
    url = nextPage(page.link, url);
  }
  return [...found.values()];
}
