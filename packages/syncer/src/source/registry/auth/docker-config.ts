import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { messageOf, NearlayerError, systemCode } from "@nearlayer/shared/errors";
import { z } from "zod";
import type { Credentials } from "./credentials.ts";

/** What we use of Docker's config.json (docker/cli, cli/config/configfile/file.go). */
const schema = z.object({
  auths: z
    .record(z.string(), z.object({ auth: z.string().optional(), identitytoken: z.string().optional() }))
    .optional(),
  credHelpers: z.record(z.string(), z.string()).optional(),
  credsStore: z.string().optional(),
});
type DockerConfig = z.output<typeof schema>;

/** The one name that Docker Hub's credentials are kept under, whatever host is asked. */
const DOCKER_HUB = "https://index.docker.io/v1/";
const DOCKER_HUB_HOSTS = new Set(["docker.io", "index.docker.io", "registry-1.docker.io"]);

/** The credentials for a host (`registry.example.org:5000`) in Docker's own files. Without `file`, the user's, if any. */
export async function dockerCredentials(host: string, file: string | undefined): Promise<Credentials | undefined> {
  const path = file ?? join(process.env.DOCKER_CONFIG ?? join(homedir(), ".docker"), "config.json");
  const config = await readDockerConfig(path, file !== undefined);
  if (config === undefined) return undefined;
  const server = DOCKER_HUB_HOSTS.has(host) ? DOCKER_HUB : host;
  const helper = config.credHelpers?.[server] ?? config.credHelpers?.[host] ?? config.credsStore;
  const helped =
    helper === undefined || helper === "" ? undefined : await (await import("./helper.ts")).askHelper(helper, server);
  return helped ?? credentialsIn(config, host);
}

async function readDockerConfig(path: string, isRequired: boolean): Promise<DockerConfig | undefined> {
  try {
    return schema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (cause) {
    if (systemCode(cause) === "ENOENT" && !isRequired) return undefined;
    // Not the parser's own words: they quote the text, and the text holds passwords.
    const reason = systemCode(cause) === undefined ? "not Docker's config.json" : messageOf(cause);
    throw new NearlayerError("CONFIG_INVALID", `${path}: ${reason}`);
  }
}

/** Looks a host up in `auths`, whose keys are hosts, or URLs of old. Pure. */
export function credentialsIn({ auths = {} }: DockerConfig, host: string): Credentials | undefined {
  const key = Object.keys(auths).find((name) => name === host) ?? Object.keys(auths).find((name) => isFor(name, host));
  const entry = key === undefined ? undefined : auths[key];
  if (entry?.identitytoken) return { kind: "identity", token: entry.identitytoken };
  const [, username, password] =
    /^([^:]+):(.*)$/s.exec(Buffer.from(entry?.auth ?? "", "base64").toString("utf8")) ?? [];
  if (username === undefined || password === undefined) return undefined;
  // Docker pads what it writes with zero bytes at times (configfile.go, decodeAuth).
  return { kind: "password", username, password: password.replace(/\0+$/, "") };
}

function isFor(name: string, host: string): boolean {
  const bare = name.replace(/^https?:\/\//, "").replace(/\/.*$/s, "");
  return bare === host || (DOCKER_HUB_HOSTS.has(bare) && DOCKER_HUB_HOSTS.has(host));
}
