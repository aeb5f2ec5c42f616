import { createHash } from "node:crypto";

/** Text of other people's, fit for a log, a terminal and a database: no control characters, well-formed, bounded. */
export function clean(text: string, max: number): string {
  return text
    .slice(0, max)
    .toWellFormed()
    .replace(/\p{Cc}/gu, "?");
}

/** A key as the sender says it, or what stands for one that is no such thing. */
export function cleanKey(key: string): string {
  return key.length <= 200 && clean(key, 200) === key ? key : sha256(key);
}

export const sha256 = (data: string | Uint8Array) => createHash("sha256").update(data).digest("hex");
