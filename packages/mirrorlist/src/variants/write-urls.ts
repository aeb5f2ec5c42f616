import type { Digest } from "@nearlayer/shared/digest";
import { isForeignLayer } from "@nearlayer/shared/mediatype";
import type { Repository } from "@nearlayer/shared/reference";
import { type LayerPlace, makeIndexRecipe, makeRecipe, type Recipe } from "../delivery/recipe.ts";
import type { Ready } from "../ready.ts";
import { momentOf } from "../selection/moment.ts";
import { standingTo } from "../selection/select.ts";
import { COHORTS, cohortOf } from "../selection/spread.ts";
import {
  findManifest,
  manifestOf,
  type ServedManifest,
  type ServedRepository,
  type Snapshot,
} from "../served/snapshot.ts";
import { type FindPlacesDeps, findPlaces } from "./find-places.ts";
import type { Variant, Variants } from "./variants.ts";
import type { Written } from "./written.ts";

/** What it takes to write urls into a manifest. */
export interface WriteUrlsDeps extends FindPlacesDeps {
  readonly variants: Variants;
  readonly written: Written;
}

/** A manifest of a repository, and who asks for it by which name of ours. */
export interface UrlsRequest extends Pick<Parameters<typeof findPlaces>[1], "snapshot" | "client"> {
  readonly name: Repository;
  readonly repository: ServedRepository;
  readonly served: ServedManifest;
  /** How the client reaches us: `https://registry.example.org`. */
  readonly baseUrl: string;
}

/** Who has more layers in all its platforms gets redirects: nobody is to wait for so many looks. */
const MAX_LAYERS = 500;

/**
 * The variant of a manifest for a client: on each layer the best mirrors, then the mirror list; an index names the
 * variants of its children. All of them are in the catalog when this resolves. Undefined when there is nothing to write,
 * or when the client is better served by redirects: then the original is the answer.
 */
export function writeUrls(deps: WriteUrlsDeps, request: UrlsRequest): Ready<Variant | undefined> {
  const { snapshot, name, served, client, baseUrl } = request;
  const mirrors = deps.network.mirrors();
  const basis = { snapshot, moment: momentOf(mirrors), setbacks: deps.firstUse.setbacks() };
  const standing = standingTo({ client, scheme: deps.config.mirrorlist.scheme }, mirrors);
  const key = { served, own: `${baseUrl}/${name}`, kin: standing.number * COHORTS + cohortOf(client) };
  const now = deps.now();
  return deps.written.get(basis, key, now) ?? writeNew();

  async function writeNew(): Promise<Variant | undefined> {
    const variant = await writeOnce(deps, request);
    if (variant !== undefined) deps.written.set(basis, key, now, variant);
    return variant;
  }
}

async function writeOnce(deps: WriteUrlsDeps, request: UrlsRequest): Promise<Variant | undefined> {
  const { snapshot, repository, served, client } = request;
  const layers = layersBelow(snapshot, repository, served);
  if (layers.size === 0 || layers.size > MAX_LAYERS) return undefined;
  const places = await findPlaces(deps, { snapshot, client, layers });
  return places && write(deps.variants, request, served, places);
}

/** The layers that mirrors carry, of the image or of all the images below the index. */
function layersBelow(snapshot: Snapshot, repository: ServedRepository, served: ServedManifest): Set<Digest> {
  const manifest = manifestOf(served);
  if (manifest.kind === "image") {
    return new Set(manifest.layers.filter(({ mediaType }) => !isForeignLayer(mediaType)).map(({ digest }) => digest));
  }
  const children = manifest.manifests.map((entry) => findManifest(snapshot, repository, entry));
  return new Set(children.flatMap((child) => (child ? [...layersBelow(snapshot, repository, child)] : [])));
}

/** The children before the index: whoever gets it may ask for them at once, wherever. */
async function write(
  variants: Variants,
  request: UrlsRequest,
  served: ServedManifest,
  places: ReadonlyMap<Digest, readonly LayerPlace[]>,
): Promise<Variant | undefined> {
  const { snapshot, name, repository, baseUrl } = request;
  const manifest = manifestOf(served);
  if (manifest.kind === "image") {
    const recipe = makeRecipe(manifest.layers, ({ digest }) => places.get(digest) ?? [], baseUrl, name);
    return recipe && rememberedOrMade(variants, served, recipe);
  }
  const children = manifest.manifests.map((entry) => findManifest(snapshot, repository, entry));
  const written = await Promise.all(children.map((child) => child && write(variants, request, child, places)));
  const recipe = makeIndexRecipe(written.map((child) => child && { digest: child.digest, size: child.bytes.length }));
  return recipe && rememberedOrMade(variants, served, recipe);
}

function rememberedOrMade(variants: Variants, served: ServedManifest, recipe: Recipe) {
  return variants.remembered(served, recipe) ?? variants.make(served, recipe);
}
