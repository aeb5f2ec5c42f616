import { digestOf } from "../../digest.ts";
import { parseManifest } from "../../manifest.ts";
import { MEDIA_TYPE } from "../../mediatype.ts";
import { type Platform, parsePlatform } from "../../platform.ts";
import { parseRepository, parseTag } from "../../reference.ts";
import type { ImageRecord, ManifestRecord } from "../images.ts";

const utf8 = new TextEncoder();

export const AMD64 = parsePlatform("linux-amd64");
export const ARM64 = parsePlatform("linux-arm64");

/** What an image is made from: the same names give the same digests. */
export interface SampleImage {
  readonly repository?: string;
  readonly tag?: string;
  /** The names of the layers of each platform. */
  readonly layers: Readonly<Record<string, readonly string[]>>;
}

/** A layer as a manifest names it, of a size that its name gives. */
export function layerOf(name: string) {
  return {
    mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
    digest: digestOf(`layer ${name}`),
    size: 1000 + name.length,
  };
}

/** An index with a manifest for each platform, as the syncer records it. */
export function sampleImage({ repository = "test/image", tag = "1", layers }: SampleImage): ImageRecord {
  const contents = new Map<ReturnType<typeof digestOf>, Uint8Array>();
  const manifests = Object.entries(layers).map(([platform, names]) => {
    const config = utf8.encode(JSON.stringify({ platform, names, zeros: "\0\0" }));
    contents.set(digestOf(config), config);
    return manifestRecord([parsePlatform(platform)], {
      mediaType: MEDIA_TYPE.ociManifest,
      config: { mediaType: "application/vnd.oci.image.config.v1+json", digest: digestOf(config), size: config.length },
      layers: names.map(layerOf),
      annotations: { "org.example.name": "ünïcode" },
    });
  });
  const index = manifestRecord([], {
    mediaType: MEDIA_TYPE.ociIndex,
    manifests: manifests.map(({ digest, bytes, manifest }) => ({
      mediaType: manifest.mediaType,
      digest,
      size: bytes.length,
    })),
  });
  return {
    repository: parseRepository(repository),
    tag: parseTag(tag),
    digest: index.digest,
    manifests: [...manifests, index],
    contents,
  };
}

function manifestRecord(platforms: readonly Platform[], document: object): ManifestRecord {
  const bytes = utf8.encode(JSON.stringify({ schemaVersion: 2, ...document }, undefined, 3));
  return { digest: digestOf(bytes), bytes, manifest: parseManifest(bytes), platforms };
}
