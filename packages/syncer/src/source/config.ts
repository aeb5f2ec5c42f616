import type { PlatformParts } from "@nearlayer/shared/platform";

/** The words of an image's configuration that say what it runs on (OCI image-spec, config.md), if they can be read. */
export function platformParts(config: Uint8Array): Partial<PlatformParts> | undefined {
  try {
    const document: unknown = JSON.parse(Buffer.from(config).toString("utf8"));
    if (typeof document !== "object" || document === null) return undefined;
    const entries = Object.entries(document).filter(([, value]) => typeof value === "string");
    return Object.fromEntries(entries);
  } catch {
    return undefined;
  }
}
