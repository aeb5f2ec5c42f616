import type { ManifestRecord } from "@nearlayer/shared/catalog/images";
import type { Descriptor } from "@nearlayer/shared/descriptor";
import type { Digest } from "@nearlayer/shared/digest";
import { NearlayerError } from "@nearlayer/shared/errors";
import { type ImageManifest, type Manifest, parseManifest } from "@nearlayer/shared/manifest";
import { NOARCH, type Platform, platformOf } from "@nearlayer/shared/platform";
import type { Repository } from "@nearlayer/shared/reference";
import { platformOfDescriptor, type WantsPlatform, wantedChildren } from "./children.ts";
import { platformParts } from "./config.ts";
import type { Reader } from "./reader.ts";
import type { FetchedManifest } from "./source.ts";

/** How deep indexes may stand in indexes, and how many manifests one tag may have in all. */
const MAX_DEPTH = 4;
const MAX_MANIFESTS = 2000;
/** The largest configuration that is kept in memory and in the catalog, in bytes. */
export const MAX_CONFIG_BYTES = 1024 * 1024;

/** Everything that a tag names: its manifests, children before parents, and the configurations read on the way. */
export interface SourceImage {
  readonly digest: Digest;
  readonly manifests: readonly ManifestRecord[];
  readonly contents: ReadonlyMap<Digest, Uint8Array>;
}

/**
 * Reads what is below a manifest, as far as its platforms are wanted. Undefined when none is. Throws what the source or
 * the manifests are wrong with.
 */
export async function readImage(
  reader: Reader,
  repository: Repository,
  top: FetchedManifest,
  wants: WantsPlatform,
): Promise<SourceImage | undefined> {
  const records = new Map<Digest, ManifestRecord>();
  const contents = new Map<Digest, Uint8Array>();
  let count = 0;

  /** Takes a manifest in, and says whether it did. */
  async function visit(fetched: FetchedManifest, platform: Platform | undefined, depth: number): Promise<boolean> {
    count += 1;
    if (depth > MAX_DEPTH) throw new NearlayerError("LIMIT_EXCEEDED", `indexes nested more than ${MAX_DEPTH} deep`);
    if (count > MAX_MANIFESTS) throw new NearlayerError("LIMIT_EXCEEDED", `more than ${MAX_MANIFESTS} manifests`);
    const manifest = parseManifest(fetched.bytes, fetched.contentType);
    if (manifest.kind === "index") {
      const taken = await Promise.all(wantedChildren(manifest, wants).map((child) => visitChild(child, depth + 1)));
      if (manifest.manifests.length > 0 && !taken.includes(true)) return false;
      add(fetched, manifest, []);
      return true;
    }
    // What an index says of a platform counts, and was looked at already.
    const own = platform ?? (await platformOfConfig(manifest));
    if (platform === undefined && !wants(own)) return false;
    add(fetched, manifest, [own]);
    return true;
  }

  async function visitChild(child: Descriptor, depth: number): Promise<boolean> {
    const fetched = await reader.manifest(repository, child.digest);
    const { length } = fetched.bytes;
    if (length !== child.size) {
      throw new NearlayerError("SIZE_MISMATCH", `manifest ${child.digest}: ${length} bytes, not ${child.size}`);
    }
    return visit(fetched, platformOfDescriptor(child), depth);
  }

  function add({ digest, bytes }: FetchedManifest, manifest: Manifest, platforms: readonly Platform[]): void {
    const before = records.get(digest)?.platforms ?? [];
    records.set(digest, { digest, bytes, manifest, platforms: [...new Set([...before, ...platforms])] });
  }

  /** An image that stands alone, or whose index does not say, tells its platform in its configuration. */
  async function platformOfConfig({ config }: ImageManifest): Promise<Platform> {
    const isOfImage = /\.(?:image|container\.image)\.(?:config\.)?v1\+json$/.test(config.mediaType);
    if (!isOfImage || config.size > MAX_CONFIG_BYTES) return NOARCH;
    const bytes = await reader.config(repository, config);
    contents.set(config.digest, bytes);
    return platformOf(platformParts(bytes));
  }

  if (!(await visit(top, undefined, 0))) return undefined;
  return { digest: top.digest, manifests: [...records.values()], contents };
}

/** One image with what belongs to others of them: the digest stays the first one's. */
export function mergeImages(image: SourceImage, others: readonly SourceImage[]): SourceImage {
  const all = [image, ...others];
  const manifests = new Map(all.flatMap(({ manifests }) => manifests.map((record) => [record.digest, record])));
  return {
    digest: image.digest,
    manifests: [...manifests.values()],
    contents: new Map(all.flatMap(({ contents }) => [...contents])),
  };
}
