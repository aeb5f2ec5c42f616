/** Media types of manifests, by the specifications that define them. */
export const MEDIA_TYPE = {
  /** docker/distribution, spec/manifest-v2-2.md */
  schema2: "application/vnd.docker.distribution.manifest.v2+json",
  manifestList: "application/vnd.docker.distribution.manifest.list.v2+json",
  /** OCI image-spec, manifest.md and image-index.md */
  ociManifest: "application/vnd.oci.image.manifest.v1+json",
  ociIndex: "application/vnd.oci.image.index.v1+json",
  /** docker/distribution, spec/manifest-v2-1.md: refused by name */
  schema1: "application/vnd.docker.distribution.manifest.v1+json",
  schema1Signed: "application/vnd.docker.distribution.manifest.v1+prettyjws",
} as const;

/** The manifests that we carry, in the order in which we ask for them. */
export const CARRIED_MANIFESTS: readonly string[] = [
  MEDIA_TYPE.manifestList,
  MEDIA_TYPE.ociIndex,
  MEDIA_TYPE.schema2,
  MEDIA_TYPE.ociManifest,
];

/** An image that is for one platform: a configuration and layers. */
export function isImageManifest(mediaType: string): boolean {
  return mediaType === MEDIA_TYPE.schema2 || mediaType === MEDIA_TYPE.ociManifest;
}

/** A list of manifests: Docker's manifest list or an OCI index. */
export function isIndex(mediaType: string): boolean {
  return mediaType === MEDIA_TYPE.manifestList || mediaType === MEDIA_TYPE.ociIndex;
}

/**
 * Layers that their maker does not let be distributed (Windows base layers): they are fetched from the `urls` in
 * their descriptor, never from a registry or a mirror (OCI image-spec, layer.md, "Non-Distributable Layers").
 */
export function isForeignLayer(mediaType: string): boolean {
  return mediaType.includes(".foreign.") || mediaType.includes(".nondistributable.");
}
