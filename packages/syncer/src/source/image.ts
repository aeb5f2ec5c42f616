import type { ManifestRecord } from "@nearlayer/shared/catalog/images";
import type { Descriptor } from "@nearlayer/shared/descriptor";
import { type Digest, digestOf } from "@nearlayer/shared/digest";
import { NearlayerError } from "@nearlayer/shared/errors";
import { type ImageManifest, type Manifest, parseManifest } from "@nearlayer/shared/manifest";
import { NOARCH, type Platform, type PlatformParts, platformOf } from "@nearlayer/shared/platform";
import type { Repository } from "@nearlayer/shared/reference";
import { readBounded } from "./body.ts";
import type { FetchedManifest, RegistryClient } from "./client.ts";

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

/** What reading an image needs beside the registry. */
export interface ImageReader {
  readonly client: RegistryClient;
  /** Which platforms are wanted; children of an index for other ones are left out. */
  readonly wants: (platform: Platform) => boolean;
  /** Manifests that the catalog has already: they are not fetched again. */
  readonly known: (digest: Digest) => Promise<FetchedManifest | undefined>;
}

/** Reads what is below a tag's manifest. Throws what the registry or the manifests are wrong with. */
export async function readImage(
  reader: ImageReader,
  repository: Repository,
  top: FetchedManifest,
): Promise<SourceImage> {
  const records = new Map<Digest, ManifestRecord>();
  const contents = new Map<Digest, Uint8Array>();
  let count = 0;

  async function visit(fetched: FetchedManifest, platform: Platform | undefined, depth: number): Promise<void> {
    count += 1;
    if (depth > MAX_DEPTH) throw new NearlayerError("LIMIT_EXCEEDED", `indexes nested more than ${MAX_DEPTH} deep`);
    if (count > MAX_MANIFESTS) throw new NearlayerError("LIMIT_EXCEEDED", `more than ${MAX_MANIFESTS} manifests`);
    const manifest = parseManifest(fetched.bytes, fetched.contentType);
    if (manifest.kind === "index") {
      for (const child of manifest.manifests) await visitChild(child, depth + 1);
      return add(fetched, manifest, []);
    }
    const own = platform ?? (await platformOfConfig(manifest));
    add(fetched, manifest, [own]);
  }

  async function visitChild(child: Descriptor, depth: number): Promise<void> {
    const platform = child.platform ? platformOf(present(child.platform)) : undefined;
    if (platform !== undefined && !reader.wants(platform)) return;
    const fetched = (await reader.known(child.digest)) ?? (await reader.client.getManifest(repository, child.digest));
    if (fetched === undefined) throw new Error(`an unconditional request was answered 304: ${child.digest}`);
    if (fetched.bytes.length !== child.size) {
      throw new NearlayerError(
        "SIZE_MISMATCH",
        `manifest ${child.digest}: ${fetched.bytes.length} bytes, not ${child.size}`,
      );
    }
    await visit(fetched, platform, depth);
  }

  function add({ digest, bytes }: FetchedManifest, manifest: Manifest, platforms: readonly Platform[]): void {
    const before = records.get(digest)?.platforms ?? [];
    records.set(digest, { digest, bytes, manifest, platforms: [...new Set([...before, ...platforms])] });
  }

  /** An image that stands alone, or whose index does not say, tells its platform in its configuration. */
  async function platformOfConfig({ config }: ImageManifest): Promise<Platform> {
    if (
      !/\.(?:image|container\.image)\.(?:config\.)?v1\+json$/.test(config.mediaType) ||
      config.size > MAX_CONFIG_BYTES
    ) {
      return NOARCH;
    }
    const bytes =
      contents.get(config.digest) ??
      (await reader.client.readBlob(repository, config.digest, 0, ({ body }) =>
        readBounded(body, config.size, `configuration ${config.digest}`),
      ));
    if (digestOf(bytes) !== config.digest) {
      throw new NearlayerError("DIGEST_MISMATCH", `configuration ${config.digest}: the registry sent other bytes`);
    }
    contents.set(config.digest, bytes);
    return platformOf(platformParts(bytes));
  }

  await visit(top, undefined, 0);
  return { digest: top.digest, manifests: [...records.values()], contents };
}

/** Leaves out the fields that are not there, so that the type says what the value does. */
function present(platform: { [K in keyof PlatformParts]?: string | undefined }): Partial<PlatformParts> {
  return Object.fromEntries(Object.entries(platform).filter(([, value]) => value !== undefined));
}

function platformParts(config: Uint8Array): Partial<PlatformParts> | undefined {
  try {
    const document: unknown = JSON.parse(Buffer.from(config).toString("utf8"));
    if (typeof document !== "object" || document === null) return undefined;
    const entries = Object.entries(document).filter(([, value]) => typeof value === "string");
    return Object.fromEntries(entries);
  } catch {
    return undefined;
  }
}
