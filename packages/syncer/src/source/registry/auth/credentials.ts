import { readFile } from "node:fs/promises";
import type { SourceConfig } from "@nearlayer/shared/config/schema";
import { messageOf, NearlayerError } from "@nearlayer/shared/errors";
import { dockerCredentials } from "./docker-config.ts";

/** Who we are to a registry. Never logged, never part of an error. */
export type Credentials =
  | { readonly kind: "password"; readonly username: string; readonly password: string }
  /** A refresh token that a token server gave to `docker login`. */
  | { readonly kind: "identity"; readonly token: string };

/** The credentials for a host, if there are any. Looked for once, and only when the registry asks who we are. */
export type FindCredentials = (host: string) => Promise<Credentials | undefined>;

/** The configuration's own credentials come before Docker's. */
export function createCredentials({ username, passwordFile, dockerConfig }: SourceConfig): FindCredentials {
  let found: Promise<Credentials | undefined> | undefined;
  return (host) => {
    found ??=
      username === undefined
        ? dockerCredentials(host, dockerConfig)
        : readPassword(passwordFile).then((password) => ({ kind: "password", username, password }));
    return found;
  };
}

async function readPassword(file: string | undefined): Promise<string> {
  const password = process.env.NEARLAYER_SOURCE_PASSWORD;
  if (file === undefined && password) return password;
  if (file === undefined) {
    throw new NearlayerError("CONFIG_INVALID", "source.username has no password", {
      hint: "set source.passwordFile, or NEARLAYER_SOURCE_PASSWORD in the environment",
    });
  }
  try {
    return (await readFile(file, "utf8")).replace(/\r?\n$/, "");
  } catch (cause) {
    throw new NearlayerError("CONFIG_INVALID", `source.passwordFile ${file}: cannot be read: ${messageOf(cause)}`);
  }
}

/** The value of `Authorization` for Basic (RFC 7617). */
export function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`, "utf8").toString("base64")}`;
}
