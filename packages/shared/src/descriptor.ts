import { z } from "zod";
import { type Digest, isDigest } from "./digest.ts";

/** A digest as zod sees it, branded. */
export const digestSchema = z.custom<Digest>(
  (value) => typeof value === "string" && isDigest(value),
  "not a sha256 digest",
);

/** The largest size that a descriptor may claim: 1 TiB, far above any layer and far below what loses precision. */
const MAX_SIZE = 2 ** 40;

/**
 * What points at some bytes: their type, digest and exact size (OCI image-spec, descriptor.md). Fields that we do
 * not use are dropped here; the bytes of a manifest are always kept and served as they came.
 */
export const descriptorSchema = z.object({
  mediaType: z.string().min(1).max(255),
  digest: digestSchema,
  size: z.number().int().min(0).max(MAX_SIZE),
  urls: z.array(z.string()).optional(),
  artifactType: z.string().optional(),
  annotations: z.record(z.string(), z.string()).nullish(),
  platform: z.object({ os: z.string(), architecture: z.string(), variant: z.string().optional() }).partial().nullish(),
});

export type Descriptor = z.infer<typeof descriptorSchema>;
