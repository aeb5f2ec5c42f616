import { recordImage } from "@nearlayer/shared/catalog/images";
import { type Digest, digestOf } from "@nearlayer/shared/digest";
import { parseManifest } from "@nearlayer/shared/manifest";
import { MEDIA_TYPE } from "@nearlayer/shared/mediatype";
import { parseRepository, parseTag } from "@nearlayer/shared/reference";
import type { Tree } from "./tree.ts";

/** An index as it is pushed: under a tag, with children that are there already. */
export interface TestIndex {
  readonly repository: string;
  readonly tag: string;
  readonly children: readonly { readonly digest: Digest; readonly bytes: Uint8Array; readonly mediaType?: string }[];
  readonly mediaType?: string;
  /** More members of the entries. */
  readonly entries?: readonly Record<string, unknown>[];
}

export async function pushIndex(
  { catalog }: Tree,
  index: TestIndex,
): Promise<{ readonly digest: Digest; readonly bytes: Buffer; readonly mediaType: string }> {
  const { repository, tag, children, mediaType = MEDIA_TYPE.ociIndex, entries = [] } = index;
  const manifests = children.map(({ digest, bytes, mediaType: type = MEDIA_TYPE.schema2 }, position) => ({
    ...{ mediaType: type, digest, size: bytes.length },
    platform: { os: "linux", architecture: position === 0 ? "amd64" : "arm64" },
    ...entries[position],
  }));
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }, undefined, 2));
  const digest = digestOf(bytes);
  await recordImage(catalog, {
    repository: parseRepository(repository),
    tag: parseTag(tag),
    digest,
    manifests: [{ digest, bytes, manifest: parseManifest(bytes), platforms: [] }],
    contents: new Map(),
  });
  return { digest, bytes, mediaType };
}
