import { type DeclaredMirror, mirrorSchema } from "@nearlayer/shared/config/schema";
import { type Platform, parsePlatform } from "@nearlayer/shared/platform";
import { type Mirror, mirrorOf } from "../mirrors/mirror.ts";
import type { Probe } from "../mirrors/probe.ts";

export const AMD64 = parsePlatform("linux-amd64");
export const ARM64 = parsePlatform("linux-arm64");
export const NOW = Date.parse("2026-11-22T12:00:00Z");

/** A declared mirror as the configuration would read it. */
export function declare(name: string, more: Record<string, unknown> = {}): DeclaredMirror {
  return mirrorSchema.parse({ name, url: `http://${name}.example.org/`, country: "JP", ...more });
}

/** A mirror that was seen at these generations just now. */
export function seenMirror(
  name: string,
  more: Record<string, unknown> = {},
  generations: Readonly<Record<string, number>> = { "linux-amd64": 10 },
  probe: Partial<Probe> = {},
): Mirror {
  const probes = new Map<Platform, Probe>();
  for (const [text, generation] of Object.entries(generations)) {
    const platform = parsePlatform(text);
    probes.set(platform, { platform, at: NOW, seenAt: NOW, generation, ...probe });
  }
  return { ...mirrorOf(declare(name, more)), probes };
}
