import { NearlayerError } from "./errors.ts";

declare const brand: unique symbol;

/**
 * A platform as the tree names it: `linux-amd64`, `linux-arm64`, `linux-arm-v7`, …, or `noarch` for content
 * without one. Made of os, architecture and variant of an image index entry or of an image configuration.
 */
export type Platform = string & { readonly [brand]: "Platform" };

/** Content that is for no platform in particular: signatures, artifacts, data. */
export const NOARCH = "noarch" as Platform;

/** The words of a `platform` object (OCI image-spec, image-index.md), as far as the tree tells them apart. */
export interface PlatformParts {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string | undefined;
}

const PLATFORM = /^(?:noarch|[a-z0-9]+(?:-[a-z0-9_.]+){1,2})$/;
const WORD = /^[a-z0-9][a-z0-9_.]{0,31}$/;

export function isPlatform(text: string): text is Platform {
  return text.length <= 100 && PLATFORM.test(text) && !text.includes("..");
}

/** Throws NAME_INVALID when the text is not a platform as the tree names them. */
export function parsePlatform(text: string): Platform {
  if (isPlatform(text)) return text;
  throw new NearlayerError("NAME_INVALID", `not a platform: ${JSON.stringify(text.slice(0, 100))}`, {
    hint: "platforms are named like linux-amd64, linux-arm-v7 or noarch",
  });
}

/**
 * Names are other people's input (they come out of manifests) and become folders: what is not a plain word is
 * `noarch`, as is buildkit's `unknown/unknown`, which marks attestations. The variant `v8` of arm64 says nothing
 * (containerd's platforms package drops it too), so that both spellings are one platform.
 */
export function platformOf(parts: Partial<PlatformParts> | undefined): Platform {
  const os = parts?.os?.toLowerCase() ?? "";
  const architecture = parts?.architecture?.toLowerCase() ?? "";
  const variant = parts?.variant?.toLowerCase() ?? "";
  if (!WORD.test(os) || !WORD.test(architecture) || os === "unknown" || architecture === "unknown") return NOARCH;
  const name = `${os}-${architecture}`;
  if (!WORD.test(variant) || (architecture === "arm64" && variant === "v8")) return isPlatform(name) ? name : NOARCH;
  const full = `${name}-${variant}`;
  return isPlatform(full) ? full : NOARCH;
}
