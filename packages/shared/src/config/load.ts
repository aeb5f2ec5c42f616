import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { isMap, LineCounter, parseDocument } from "yaml";
import { messageOf, NearlayerError } from "../errors.ts";
import { type Config, configSchema, type SourceConfig } from "./schema.ts";

const MAX_CONFIG_BYTES = 4 * 1024 * 1024;

/**
 * Reads and checks a configuration file whole. Paths in it are relative to the file. Throws CONFIG_INVALID with a line
 * for everything that is wrong: file, line, key and reason.
 */
export function loadConfig(file: string): Config {
  return resolvePaths(parseConfig(readConfigText(file), file), dirname(resolve(file)));
}

/** The text of a configuration file. Throws CONFIG_INVALID when it cannot be read. */
export function readConfigText(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    throw new NearlayerError("CONFIG_INVALID", `${file}: cannot be read: ${messageOf(cause)}`, {
      cause,
      hint: "name the configuration file with --config FILE",
    });
  }
  if (text.length > MAX_CONFIG_BYTES) throw new NearlayerError("CONFIG_INVALID", `${file}: larger than 4 MiB`);
  return text;
}

/** One thing that is wrong with a configuration. */
export interface ConfigMistake {
  readonly file: string;
  /** Counted from 1; absent where nothing in the file is to blame, such as a section that is missing. */
  readonly line?: number;
  /** Of what is no YAML. */
  readonly column?: number;
  /** `mirrors[0].url`; empty where the file is no YAML, or no mapping. */
  readonly key: string;
  readonly reason: string;
}

/** A configuration, or all that is wrong with it. */
export type ReadConfig =
  | { readonly config: Config; readonly mistakes: readonly [] }
  | { readonly config?: undefined; readonly mistakes: readonly ConfigMistake[] };

/** Checks the text of a configuration; `file` is only for the messages, and paths stay as they are written. */
export function parseConfig(text: string, file: string): Config {
  const { config, mistakes } = readConfig(text, file);
  if (config !== undefined) return config;
  throw new NearlayerError("CONFIG_INVALID", mistakes.map(formatMistake).join("\n"));
}

/** As `parseConfig`, but tells what is wrong as data. */
export function readConfig(text: string, file: string): ReadConfig {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false });
  const broken = document.errors[0];
  if (broken) {
    const { line, col: column } = lineCounter.linePos(broken.pos[0]);
    return { mistakes: [{ file, line, column, key: "", reason: `not YAML: ${broken.message}` }] };
  }
  const result = configSchema.safeParse(document.toJS({ maxAliasCount: 100 }) ?? {});
  if (result.success) return { config: result.data, mistakes: [] };
  const lineOf = (path: readonly PropertyKey[]): number | undefined => {
    // A key that is missing has no place of its own: its parent's is the nearest.
    for (let depth = path.length; depth > 0; depth--) {
      const node = document.getIn(path.slice(0, depth), true);
      const pair = document.getIn(path.slice(0, depth - 1), true);
      const key = isMap(pair) ? pair.items.find((item) => String(item.key) === String(path[depth - 1]))?.key : node;
      const range = (key as { range?: readonly [number, number, number] } | undefined)?.range;
      if (range) return lineCounter.linePos(range[0]).line;
    }
    return undefined;
  };
  const at = (path: readonly PropertyKey[], reason: string): ConfigMistake => {
    const line = lineOf(path);
    return { file, ...(line === undefined ? {} : { line }), key: formatPath(path), reason };
  };
  return {
    mistakes: result.error.issues.flatMap((issue) =>
      issue.code === "unrecognized_keys"
        ? issue.keys.map((key) => at([...issue.path, key], "unknown key"))
        : [at(issue.path, issue.message)],
    ),
  };
}

/** `FILE:LINE: KEY: REASON`, as far as there is a line and a key. */
export function formatMistake({ file, line, column, key, reason }: ConfigMistake): string {
  const place = [file, line, column].filter((part) => part !== undefined).join(":");
  return `${place}: ${key === "" ? "" : `${key}: `}${reason}`;
}

function formatPath(path: readonly PropertyKey[]): string {
  return path
    .map((part, index) => (typeof part === "number" ? `[${part}]` : `${index === 0 ? "" : "."}${String(part)}`))
    .join("");
}

function resolvePaths(config: Config, folder: string): Config {
  const path = (value: string) => resolve(folder, value);
  const { geoip, tls } = config.mirrorlist;
  const { country, asn, city } = geoip;
  return {
    ...config,
    catalog: isPostgres(config.catalog) ? config.catalog : path(config.catalog),
    root: path(config.root),
    ...(config.source === undefined ? {} : { source: resolveSource(config.source, path) }),
    publish: {
      ...config.publish,
      ...(config.publish.key === undefined ? {} : { key: path(config.publish.key) }),
      ...(config.publish.passwordFile === undefined ? {} : { passwordFile: path(config.publish.passwordFile) }),
      ssh: {
        ...config.publish.ssh,
        ...(config.publish.ssh.identityFile === undefined
          ? {}
          : { identityFile: path(config.publish.ssh.identityFile) }),
        ...(config.publish.ssh.knownHostsFile === undefined
          ? {}
          : { knownHostsFile: path(config.publish.ssh.knownHostsFile) }),
      },
      targets: config.publish.targets.map((target) =>
        target.kind === "local" ? { ...target, destination: `${path(target.destination)}/` } : target,
      ),
    },
    mirrorlist: {
      ...config.mirrorlist,
      ...(tls === undefined ? {} : { tls: { certificate: path(tls.certificate), key: path(tls.key) } }),
      geoip: {
        ...(country === undefined ? {} : { country: path(country) }),
        ...(asn === undefined ? {} : { asn: path(asn) }),
        ...(city === undefined ? {} : { city: path(city) }),
      },
    },
  };
}

function resolveSource(source: SourceConfig, path: (value: string) => string): SourceConfig {
  const resolved = (["storage", "passwordFile", "dockerConfig", "ca"] as const).flatMap((key) => {
    const value = source[key];
    return value === undefined ? [] : [[key, path(value)]];
  });
  return { ...source, ...Object.fromEntries(resolved) };
}

/** Is the catalog a PostgreSQL database, rather than a file? */
export function isPostgres(catalog: string): boolean {
  return /^postgres(?:ql)?:\/\//.test(catalog);
}
