import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { messageOf, NearlayerError } from "../errors.ts";
import { resolveEventPaths } from "./events.ts";
import { type Config, configSchema, type SourceConfig } from "./schema.ts";
import { formatProblem, type Problem, readYaml } from "./yaml.ts";

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
export interface ConfigMistake extends Problem {
  readonly file: string;
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
  const result = readYaml(configSchema, text);
  if (result.ok) return { config: result.data, mistakes: [] };
  return { mistakes: result.problems.map((problem) => ({ file, ...problem })) };
}

/** `FILE:LINE: KEY: REASON`, as far as there is a line and a key. */
export function formatMistake({ file, ...problem }: ConfigMistake): string {
  return formatProblem(file, problem);
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
    events: resolveEventPaths(config.events, path),
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
    optin: {
      ...config.optin,
      ...(config.optin.folder === undefined ? {} : { folder: path(config.optin.folder) }),
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
