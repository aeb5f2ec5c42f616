import { type Blob, type Descriptor, jsonBlob, type Platform } from "./blob.ts";
import type { Layer } from "./layer.ts";

/** How an image is written down. */
export type ImageKind = "docker-manifest" | "docker-list" | "oci-manifest" | "oci-index";

/** What one platform of an image consists of. */
export interface ImagePart {
  readonly platform: Platform;
  /** The base first. */
  readonly layers: readonly Layer[];
  readonly command?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  /** Of its manifest. */
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A manifest with everything that it names. */
export interface BuiltManifest extends Blob {
  readonly mediaType: string;
  readonly platform: Platform;
  readonly config: Blob;
  readonly layers: readonly Layer[];
}

/** An image as plain bytes, ready to be pushed. */
export interface BuiltImage extends Blob {
  readonly kind: ImageKind;
  readonly mediaType: string;
  /** One for each platform; for a single manifest, it alone. */
  readonly manifests: readonly BuiltManifest[];
}

const docker = "application/vnd.docker";
const oci = "application/vnd.oci.image";
const mediaTypes = {
  docker: {
    index: `${docker}.distribution.manifest.list.v2+json`,
    manifest: `${docker}.distribution.manifest.v2+json`,
    config: `${docker}.container.image.v1+json`,
    layer: `${docker}.image.rootfs.diff.tar.gzip`,
  },
  oci: {
    index: `${oci}.index.v1+json`,
    manifest: `${oci}.manifest.v1+json`,
    config: `${oci}.config.v1+json`,
    layer: `${oci}.layer.v1.tar+gzip`,
  },
} as const;

/** Builds an image of one platform or several. The same input gives the same digests. */
export function buildImage(kind: ImageKind, parts: readonly ImagePart[]): BuiltImage {
  const types = kind.startsWith("oci") ? mediaTypes.oci : mediaTypes.docker;
  const manifests = parts.map((part) => buildManifest(types, part));
  const [first, ...others] = manifests;
  if (first === undefined) throw new Error("an image needs a platform");
  if (kind.endsWith("manifest")) {
    if (others.length > 0) throw new Error(`${kind} is for one platform`);
    return { ...first, kind, manifests };
  }
  const children = manifests.map((manifest) => ({
    ...descriptor(manifest.mediaType, manifest),
    platform: manifest.platform,
  }));
  const index = jsonBlob({ schemaVersion: 2, mediaType: types.index, manifests: children });
  return { ...index, kind, mediaType: types.index, manifests };
}

function buildManifest(types: (typeof mediaTypes)["docker" | "oci"], part: ImagePart): BuiltManifest {
  const { platform, layers, command = ["/bin/sh"], labels, annotations } = part;
  const config = jsonBlob({
    ...platform,
    created: "1970-01-01T00:00:00Z",
    config: { Env: ["PATH=/bin"], Cmd: command, Labels: labels },
    rootfs: { type: "layers", diff_ids: layers.map((layer) => layer.diffId) },
    history: layers.map(() => ({ created: "1970-01-01T00:00:00Z", created_by: "nearlayer test" })),
  });
  const manifest = jsonBlob({
    schemaVersion: 2,
    mediaType: types.manifest,
    config: descriptor(types.config, config),
    layers: layers.map((layer) => descriptor(types.layer, layer)),
    annotations,
  });
  return { ...manifest, mediaType: types.manifest, platform, config, layers };
}

function descriptor(mediaType: string, { digest, bytes }: Blob): Descriptor {
  return { mediaType, size: bytes.length, digest };
}

/** The manifest of an image for a platform. */
export function manifestFor(image: BuiltImage, architecture: string): BuiltManifest {
  const found = image.manifests.find(({ platform }) => platform.architecture === architecture);
  if (found === undefined) throw new Error(`the image has no ${architecture}`);
  return found;
}

/** Every layer of every platform, each once. */
export function allLayers(image: BuiltImage): Layer[] {
  const layers = image.manifests.flatMap((manifest) => manifest.layers);
  return [...new Map(layers.map((layer) => [layer.digest, layer])).values()];
}
