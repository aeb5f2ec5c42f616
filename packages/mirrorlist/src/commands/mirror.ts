import type { Config, DeclaredMirror } from "@nearlayer/shared/config/schema";
import { NearlayerError } from "@nearlayer/shared/errors";
import { formatTable } from "./table.ts";

export function listMirrors({ mirrors }: Config): readonly DeclaredMirror[] {
  return mirrors;
}

export function summarizeMirrors(mirrors: readonly DeclaredMirror[]): string {
  if (mirrors.length === 0) return "no mirrors are declared";
  const rows = mirrors.map(({ name, country, bandwidth, platforms, disabled, private: isPrivate, url }) => [
    name,
    country,
    bandwidth,
    platforms?.join(",") ?? "all",
    disabled ? "disabled" : isPrivate ? "private" : "open",
    url,
  ]);
  return formatTable(["MIRROR", "COUNTRY", "MBIT/S", "PLATFORMS", "STATE", "URL"], rows);
}

/** Throws NOT_FOUND when no mirror has the name. */
export function showMirror({ mirrors }: Config, name: string): DeclaredMirror {
  const mirror = mirrors.find((declared) => declared.name === name);
  if (mirror !== undefined) return mirror;
  throw new NearlayerError("NOT_FOUND", `no mirror is called ${name}`, {
    hint: "`mirrorlist mirror list` shows those that there are",
  });
}
