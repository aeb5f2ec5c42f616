import { digestOfTag } from "@nearlayer/shared/catalog/images";
import {
  hasTags,
  isManifestIn,
  readCarriedManifest,
  readContent,
  readReferrersApi,
  writeReferrersApi,
} from "@nearlayer/shared/catalog/known";
import type { Catalog } from "@nearlayer/shared/catalog/open";
import type { Known } from "../source/known.ts";

/** What the catalog knows of the source. */
export async function readKnown(catalog: Catalog): Promise<Known> {
  return {
    tag: ({ repository, tag }) => digestOfTag(catalog, repository, tag),
    manifest: async (digest) => {
      const found = await readCarriedManifest(catalog, digest);
      return found && { digest, contentType: found.mediaType, ...found };
    },
    isIn: (repository, digest) => isManifestIn(catalog, repository, digest),
    hasTags: (repository) => hasTags(catalog, repository),
    config: (digest) => readContent(catalog, digest),
    hasReferrersApi: await readReferrersApi(catalog),
  };
}

/** Notes whether the source answers about referrers, so that unchanged images are asked about only where it does. */
export async function rememberReferrersApi(catalog: Catalog, hasApi: boolean | undefined): Promise<void> {
  if (hasApi === undefined || hasApi === (await readReferrersApi(catalog))) return;
  await writeReferrersApi(catalog, hasApi);
}
