import { createHash } from "node:crypto";

/** Bytes under their digest. */
export interface Blob {
  /** `sha256:` and 64 hex digits. */
  readonly digest: string;
  readonly bytes: Buffer;
}

/** What a manifest says of a blob. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: Platform;
}

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

export function blob(bytes: Buffer): Blob {
  return { digest: sha256(bytes), bytes };
}

/** `sha256:…` of some bytes, reckoned apart from the code under test. */
export function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** Pretty-printed, as registries keep manifests byte for byte: whoever re-serialises them changes the digest. */
export function jsonBlob(value: unknown): Blob {
  return blob(Buffer.from(JSON.stringify(value, null, 3)));
}
