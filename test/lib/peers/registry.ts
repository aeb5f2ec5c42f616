import { randomUUID } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type AccessLog, accessLog, isSettling, settleByRequest } from "../process/access-log.ts";
import { type Daemon, startDaemon } from "../process/daemon.ts";
import { freePort } from "../process/ports.ts";

/** One line of the registry's access log. */
export interface RegistryRequest {
  readonly method: string;
  readonly uri: string;
  readonly status: number;
  readonly bytes: number;
  readonly agent: string;
  /** What was asked for; `other` is uploads, listings and the version check. */
  readonly kind: "manifest" | "blob" | "other";
}

/** A real docker-registry (distribution) that keeps everything in a folder and allows deletion. */
export interface Registry extends Daemon {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** `127.0.0.1:PORT`, as it stands in an image's reference. */
  readonly host: string;
  readonly port: number;
  /** The folder of its file-system storage. */
  readonly storage: string;
  readonly log: AccessLog<RegistryRequest>;
}

export interface RegistryOptions {
  readonly dir: string;
  readonly port?: number;
  readonly storage?: string;
  /** More top-level keys of its configuration, as YAML: `auth: {…}`. */
  readonly config?: string;
}

export async function startRegistry(options: RegistryOptions): Promise<Registry> {
  const { dir, storage = join(dir, "storage") } = options;
  const port = options.port ?? (await freePort());
  const host = `127.0.0.1:${port}`;
  const url = `http://${host}`;
  await mkdir(storage, { recursive: true });
  const config = join(dir, "registry.yml");
  await writeFile(config, `${registryConfig(host, storage)}${options.config ?? ""}\n`);
  const daemon = await startDaemon({
    name: "docker-registry",
    dir,
    command: ["docker-registry", "serve", config],
    env: { OTEL_TRACES_EXPORTER: "none" },
    // 401 is an answer too, of one that wants to know who asks.
    ready: async () => [200, 401].includes((await fetch(`${url}/v2/`)).status),
  });
  const file = daemon.logFile;
  const log = accessLog({ file, parse: parseLine, settle: settleByRequest(`${url}/v2/`, file) });
  return { ...daemon, url, host, port, storage, log };
}

function registryConfig(address: string, storage: string): string {
  return `version: 0.1
log: {level: warn, accesslog: {disabled: false}}
storage:
  filesystem: {rootdirectory: ${JSON.stringify(storage)}, maxthreads: 100}
  delete: {enabled: true}
  maintenance: {uploadpurging: {enabled: false}}
http: {addr: "${address}", secret: ${randomUUID()}}
`;
}

const combined = /^\S+ - \S+ \[[^\]]*\] "(\S+) (\S+) [^"]*" (\d+) (\d+) "[^"]*" "([^"]*)"/;

function parseLine(line: string): RegistryRequest | undefined {
  const [found, method = "", uri = "", status, bytes, agent = ""] = combined.exec(line) ?? [];
  if (found === undefined || isSettling(agent)) return undefined;
  return { method, uri, status: Number(status), bytes: Number(bytes), agent, kind: kindOf(uri) };
}

function kindOf(uri: string): RegistryRequest["kind"] {
  if (/\/manifests\/[^/]+$/.test(uri)) return "manifest";
  return /\/blobs\/sha256:[0-9a-f]+$/.test(uri) ? "blob" : "other";
}
