import { z } from "zod";
import { type Descriptor, descriptorSchema } from "./descriptor.ts";
import { messageOf, NearlayerError } from "./errors.ts";
import { CARRIED_MANIFESTS, isForeignLayer, isIndex, MEDIA_TYPE } from "./mediatype.ts";

/** The largest manifest that we read, in bytes: the limit that distribution-spec asks registries to take. */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

/** A manifest of one image (or artifact): a configuration and layers, in order. */
export interface ImageManifest {
  readonly kind: "image";
  readonly mediaType: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A manifest list or an OCI index: other manifests, usually one per platform. */
export interface IndexManifest {
  readonly kind: "index";
  readonly mediaType: string;
  readonly manifests: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

export type Manifest = ImageManifest | IndexManifest;

const common = {
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  subject: descriptorSchema.nullish(),
  artifactType: z.string().optional(),
  annotations: z.record(z.string(), z.string()).nullish(),
};
const imageSchema = z.object({ ...common, config: descriptorSchema, layers: z.array(descriptorSchema).max(10_000) });
const indexSchema = z.object({ ...common, manifests: z.array(descriptorSchema).max(10_000) });

/**
 * Reads the bytes of a manifest: schema 2, manifest list, OCI manifest or OCI index. `contentType` is what the
 * registry said of them, if it is known; a document that says otherwise of itself is refused, as is one that could
 * be read as an image and as an index (CVE-2021-41190).
 *
 * Throws MANIFEST_UNSUPPORTED for schema 1 and unknown kinds, MANIFEST_INVALID for everything else that is wrong.
 */
export function parseManifest(bytes: Uint8Array, contentType?: string): Manifest {
  const document = parseJsonObject(bytes);
  if (document.schemaVersion === 1) {
    throw new NearlayerError("MANIFEST_UNSUPPORTED", "schema 1 manifests are not carried", {
      hint: "push the image again with a client that writes schema 2 or OCI manifests",
    });
  }
  const mediaType = mediaTypeOf(document, contentType);
  const result = (isIndex(mediaType) ? indexSchema : imageSchema).safeParse(document);
  if (!result.success) {
    const issue = result.error.issues[0];
    throw invalid(`manifest ${issue?.path.join(".") ?? ""}: ${issue?.message ?? "does not hold"}`);
  }
  const { subject, artifactType, annotations } = result.data;
  const shared = {
    mediaType,
    ...(subject ? { subject } : {}),
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(annotations ? { annotations } : {}),
  };
  return "manifests" in result.data
    ? { kind: "index", manifests: result.data.manifests, ...shared }
    : { kind: "image", config: result.data.config, layers: result.data.layers, ...shared };
}

function parseJsonObject(bytes: Uint8Array): Record<string, unknown> {
  if (bytes.length > MAX_MANIFEST_BYTES) {
    throw new NearlayerError("LIMIT_EXCEEDED", `manifest of ${bytes.length} bytes, more than ${MAX_MANIFEST_BYTES}`);
  }
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new NearlayerError("MANIFEST_INVALID", `manifest is not JSON: ${messageOf(cause)}`, { cause });
  }
  if (typeof document !== "object" || document === null || Array.isArray(document)) {
    throw invalid("manifest is not a JSON object");
  }
  return document as Record<string, unknown>;
}

function mediaTypeOf(document: Record<string, unknown>, contentType: string | undefined): string {
  const isIndexLike = "manifests" in document;
  if (isIndexLike && ("layers" in document || "config" in document)) {
    throw invalid("manifest has both manifests and layers");
  }
  const declared = contentType?.split(";", 1)[0]?.trim();
  const own = document.mediaType;
  // OCI manifests may leave mediaType out; only then the shape tells (OCI image-spec, manifest.md).
  const mediaType =
    typeof own === "string" && own !== "" ? own : isIndexLike ? MEDIA_TYPE.ociIndex : MEDIA_TYPE.ociManifest;
  if (!CARRIED_MANIFESTS.includes(mediaType)) {
    throw new NearlayerError("MANIFEST_UNSUPPORTED", `manifests of type ${mediaType.slice(0, 100)} are not carried`);
  }
  if (declared !== undefined && CARRIED_MANIFESTS.includes(declared) && declared !== mediaType) {
    throw invalid(`manifest says it is ${mediaType}, its registry says ${declared}`);
  }
  return mediaType;
}

function invalid(message: string): NearlayerError {
  return new NearlayerError("MANIFEST_INVALID", message);
}

/** The configuration and the layers of an image, in their order. */
export function blobsOf(manifest: ImageManifest): readonly Descriptor[] {
  return [manifest.config, ...manifest.layers];
}

/** The blobs that are carried to mirrors: all but foreign layers, which stay where their `urls` point. */
export function carriedBlobsOf(manifest: ImageManifest): readonly Descriptor[] {
  return blobsOf(manifest).filter(({ mediaType }) => !isForeignLayer(mediaType));
}

/** What a manifest is when asked for by artifact type: its own, or the type of its configuration. */
export function artifactTypeOf(manifest: Manifest): string | undefined {
  return manifest.artifactType ?? (manifest.kind === "image" ? manifest.config.mediaType : undefined);
}
