import type { Descriptor } from "@nearlayer/shared/descriptor";
import type { Digest } from "@nearlayer/shared/digest";
import type { ImageManifest } from "@nearlayer/shared/manifest";
import { unpack } from "../../served/packed.ts";
import {
  findManifest,
  manifestOf,
  type ServedManifest,
  type ServedRepository,
  type Snapshot,
} from "../../served/snapshot.ts";

/** One image of a tag: all there is for a single manifest, one platform of an index. */
export interface ImageFacts {
  /** `linux/arm64/v8`, as its index or its configuration says; empty where neither does. */
  readonly platform: string;
  readonly digest: Digest;
  /** Configuration and layers; undefined where the manifest is not here, or is too large to look at for a page. */
  readonly size?: number;
  readonly manifest?: ImageManifest;
}

export interface TagFacts {
  readonly served: ServedManifest;
  readonly isIndex: boolean;
  readonly images: readonly ImageFacts[];
  /** Entries of an index that are no image for a platform: attestations. */
  readonly attestations: number;
  /** Entries that are left out. */
  readonly omitted: number;
}

/** The most platforms of an image that are shown, and the largest manifest, in bytes, that is read for it. */
const MAX_IMAGES = 24;
const MAX_BYTES = 512 * 1024;

/** Cost: what is not known yet of the manifests is parsed, a twentieth of a millisecond for most of them. */
export function factsOf(snapshot: Snapshot, repository: ServedRepository, served: ServedManifest): TagFacts {
  const manifest = served.size > MAX_BYTES ? undefined : manifestOf(served);
  if (manifest === undefined || manifest.kind === "image") {
    const image = imageFacts(snapshot, served, manifest);
    return { served, isIndex: false, images: [image], attestations: 0, omitted: 0 };
  }
  const entries = manifest.manifests.filter(({ platform }) => !isUnknown(platform));
  const images = entries.slice(0, MAX_IMAGES).map((entry): ImageFacts => {
    const platform = platformText(entry.platform);
    const child = findManifest(snapshot, repository, entry);
    if (child === undefined || child.size > MAX_BYTES) return { platform, digest: entry.digest };
    const parsed = manifestOf(child);
    if (parsed.kind === "index") return { platform, digest: entry.digest };
    const facts = imageFacts(snapshot, child, parsed);
    return { ...facts, platform: platform === "" ? facts.platform : platform };
  });
  const attestations = manifest.manifests.length - entries.length;
  return { served, isIndex: true, images, attestations, omitted: entries.length - images.length };
}

function imageFacts(snapshot: Snapshot, { digest }: ServedManifest, manifest: ImageManifest | undefined): ImageFacts {
  if (manifest === undefined) return { platform: "", digest };
  const size = [manifest.config, ...manifest.layers].reduce((sum, one) => sum + one.size, 0);
  const { os, architecture, variant } = configOf(snapshot, manifest) ?? {};
  return { platform: platformText({ os, architecture, variant }), digest, size, manifest };
}

function platformText(
  platform: { [Key in "os" | "architecture" | "variant"]?: string | undefined } | null | undefined,
) {
  const { os, architecture, variant } = platform ?? {};
  return [os, architecture, variant]
    .filter((part) => part !== undefined && part !== "")
    .join("/")
    .slice(0, 60);
}

/** How BuildKit marks what is about an image and is none. */
const isUnknown = (platform: Descriptor["platform"]) =>
  platform?.os === "unknown" && platform.architecture === "unknown";

/** What is shown of an image's configuration (OCI image-spec, config.md). Other people's input, down to the last label. */
export interface ShownConfig {
  readonly os?: string;
  readonly architecture?: string;
  readonly variant?: string;
  readonly created?: string;
  readonly command?: string;
  readonly user?: string;
  readonly ports: readonly string[];
  readonly labels: readonly (readonly [string, string])[];
}

/** The largest configuration that is read for a page. */
const MAX_CONFIG = 256 * 1024;
/** The most labels and annotations that are shown. */
export const MAX_PAIRS = 60;

const shown = new WeakMap<ImageManifest, ShownConfig>();

/** Undefined when the configuration is not kept, is none of an image, or is not worth the time. */
export function configOf({ contents }: Pick<Snapshot, "contents">, manifest: ImageManifest): ShownConfig | undefined {
  const known = shown.get(manifest);
  if (known !== undefined) return known;
  const content = contents.get(manifest.config.digest);
  if (content === undefined || content.size > MAX_CONFIG) return undefined;
  const config = readConfig(unpack(content));
  if (config !== undefined) shown.set(manifest, config);
  return config;
}

export function readConfig(bytes: Uint8Array): ShownConfig | undefined {
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
  const root = record(document);
  const config = record(root.config);
  const command = [...texts(config.Entrypoint), ...texts(config.Cmd)].map(quoted).join(" ");
  const named = { os: root.os, architecture: root.architecture, variant: root.variant, created: root.created };
  return {
    ...Object.fromEntries(Object.entries({ ...named, user: config.User }).filter(([, value]) => isText(value))),
    ...(command === "" ? {} : { command }),
    ports: Object.keys(record(config.ExposedPorts)).slice(0, MAX_PAIRS),
    labels: pairs(record(config.Labels)),
  };
}

/** Names and texts, as they are shown: no more of them than there is room for. */
export function pairs(all: Readonly<Record<string, unknown>>): (readonly [string, string])[] {
  return Object.entries(all)
    .filter((pair): pair is [string, string] => isText(pair[1]))
    .slice(0, MAX_PAIRS);
}

const isText = (value: unknown): value is string => typeof value === "string" && value !== "";

const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};

const texts = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item): item is string => typeof item === "string").slice(0, MAX_PAIRS) : [];

/** As a shell would have it, where that tells the words apart. */
const quoted = (word: string) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
