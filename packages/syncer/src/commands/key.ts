import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Config } from "@nearlayer/shared/config/schema";
import { NearlayerError } from "@nearlayer/shared/errors";
import { createSigner, generateKey, verifierLine } from "@nearlayer/shared/note";

/** Makes the key that signs GENERATION, where `publish.key` says, and returns the line that others check it with. */
export function generateSigningKey({ publish: { key, keyName } }: Config): { file: string; verifier: string } {
  if (key === undefined) {
    throw new NearlayerError("CONFIG_INVALID", "publish.key is missing: where is the key to be written?", {
      hint: "add `publish: {key: ./data/generation.key}` to the configuration",
    });
  }
  if (existsSync(key)) {
    throw new NearlayerError("USAGE", `${key} is there already`, {
      hint: "mirrors check with its public half: move it away yourself if you want a new one",
    });
  }
  const pem = generateKey();
  mkdirSync(dirname(key), { recursive: true });
  writeFileSync(key, pem, { mode: 0o600, flag: "wx" });
  return { file: key, verifier: verifierLine(createSigner(keyName, pem)) };
}
