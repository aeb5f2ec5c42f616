import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { messageOf, NearlayerError } from "@nearlayer/shared/errors";

/** A secret out of a file, or else of the environment. Throws CONFIG_INVALID, naming the key, where there is none. */
export function readSecret(key: string, file: string | undefined, variable?: string): string {
  const fromEnvironment = variable === undefined ? undefined : process.env[variable];
  const text = file === undefined ? fromEnvironment : readSecretFile(key, file);
  const secret = text?.trim() ?? "";
  if (secret !== "") return secret;
  const other = variable === undefined ? "" : `, or ${variable} in the environment`;
  throw new NearlayerError("CONFIG_INVALID", `${key}: there is no secret${file === undefined ? "" : ` in ${file}`}`, {
    hint: `give a file with it${other}: openssl rand -hex 32 > FILE`,
  });
}

function readSecretFile(key: string, file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new NearlayerError("CONFIG_INVALID", `${key} ${file}: cannot be read: ${messageOf(cause)}`, { cause });
  }
}

/** Are they the same? Takes the same time wherever they differ, and whatever their lengths. */
export function isSame(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

/** The HMAC-SHA256 of a body, in hex. */
export const signatureOf = (body: Uint8Array | string, secret: string) =>
  createHmac("sha256", secret).update(body).digest("hex");
