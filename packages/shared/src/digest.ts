import { createHash } from "node:crypto";
import { NearlayerError } from "./errors.ts";

declare const brand: unique symbol;

/**
 * The name of some bytes by their content, `sha256:` and 64 lower-case hex digits
 * (OCI image-spec, descriptor.md, "Digests"). Other algorithms are not carried: a mirror tree is `sha256/`.
 */
export type Digest = string & { readonly [brand]: "Digest" };

/** The 64 hex digits of a digest, which are a blob's file name in the tree. */
export type Hex = string & { readonly [brand]: "Hex" };

const DIGEST = /^sha256:[0-9a-f]{64}$/;
const HEX = /^[0-9a-f]{64}$/;

export function isDigest(text: string): text is Digest {
  // The length check keeps a hostile megabyte away from the expression.
  return text.length === 71 && DIGEST.test(text);
}

/** Throws DIGEST_INVALID when the text is not a sha256 digest. */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new NearlayerError("DIGEST_INVALID", `not a sha256 digest: ${JSON.stringify(text.slice(0, 100))}`, {
    hint: "a digest is sha256: followed by 64 lower-case hex digits",
  });
}

export function isHex(text: string): text is Hex {
  return text.length === 64 && HEX.test(text);
}

export function hexOf(digest: Digest): Hex {
  return digest.slice(7) as Hex;
}

export function fromHex(hex: Hex): Digest {
  return `sha256:${hex}` as Digest;
}

/** The digest of bytes that are already in memory. */
export function digestOf(bytes: Uint8Array | string): Digest {
  return fromHex(createHash("sha256").update(bytes).digest("hex") as Hex);
}
