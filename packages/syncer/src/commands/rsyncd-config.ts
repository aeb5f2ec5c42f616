import { existsSync } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import { isIP } from "node:net";
import { resolve } from "node:path";
import { latestGenerations } from "@nearlayer/shared/catalog/generations";
import { openCatalog } from "@nearlayer/shared/catalog/open";
import { isPostgres } from "@nearlayer/shared/config/load";
import type { Config } from "@nearlayer/shared/config/schema";
import { NearlayerError } from "@nearlayer/shared/errors";
import { type Platform, parsePlatform } from "@nearlayer/shared/platform";
import { pubDir } from "@nearlayer/shared/tree";
import { formatRsyncdConfig, OPTIN_MODULE } from "./rsyncd-config-text.ts";

/** What the command line says of the master; the rest comes from the configuration and the catalog. */
export interface RsyncdOptions {
  readonly path?: string | undefined;
  readonly platforms?: readonly string[] | undefined;
  readonly moduleName?: string | undefined;
  readonly optin?: string | undefined;
  readonly optinUser?: string | undefined;
  readonly address?: string | undefined;
  readonly port?: string | undefined;
  readonly user?: string | undefined;
  readonly group?: string | undefined;
  readonly maxConnections?: string | undefined;
  readonly lockFolder?: string | undefined;
  readonly chroot?: boolean | undefined;
  readonly output?: string | undefined;
}

export interface RsyncdResult {
  /** The text of the file. */
  readonly config: string;
  readonly modules: readonly string[];
  /** Where it was written to, when that was asked for. */
  readonly output?: string;
}

/**
 * Makes the rsyncd.conf of a master. `config` is only read when the options leave something open, so that a master needs
 * no configuration of the syncer's. Throws USAGE for a value that an rsyncd.conf cannot hold.
 */
export async function rsyncdConfig(config: () => Promise<Config>, options: RsyncdOptions): Promise<RsyncdResult> {
  const platforms = options.platforms?.map(parsePlatform) ?? (await publishedPlatforms(await config()));
  const path = folder("--path", options.path ?? pubDir((await config()).root));
  const optin = await optinFolder(config, options);
  if (optin !== undefined && (isWithin(optin, path) || isWithin(path, optin))) {
    throw wrong("--optin", `${optin} and ${path} lie within each other: uploads would be published`);
  }
  const user = name("--user", options.user ?? "nobody");
  const moduleName = moduleNameOf(options.moduleName ?? "containers", platforms);
  const text = formatRsyncdConfig({
    ...{ path, moduleName, platforms, optin, user },
    address: options.address === undefined ? undefined : addressOf(options.address),
    port: integer("--port", options.port ?? "873", 1, 65_535),
    group: name("--group", options.group ?? "nogroup"),
    optinUser: name("--optin-user", options.optinUser ?? user),
    maxConnections: integer("--max-connections", options.maxConnections ?? "200", 1, 100_000),
    lockFolder: folder("--lock-folder", options.lockFolder ?? "/run"),
    chroot: options.chroot ?? true,
  });
  const modules = [moduleName, ...platforms, ...(optin === undefined ? [] : [OPTIN_MODULE])];
  const { output } = options;
  if (output === undefined) return { config: text, modules };
  // The daemon reads it at each connection: it sees the old one or the new one.
  await writeFile(`${output}.new`, text, { mode: 0o644 });
  await rename(`${output}.new`, output);
  return { config: text, modules, output };
}

/** Where the mirror list reads uploads, unless the options leave nothing to the configuration. */
async function optinFolder(
  config: () => Promise<Config>,
  { path, platforms, optin }: RsyncdOptions,
): Promise<string | undefined> {
  if (optin !== undefined) return folder("--optin", optin);
  const configured = path === undefined || platforms === undefined ? (await config()).optin.folder : undefined;
  return configured === undefined ? undefined : folder("optin.folder", configured);
}

async function publishedPlatforms({ catalog: location }: Config): Promise<Platform[]> {
  // Before the first sync there is none, and asking is no reason to make one.
  if (!isPostgres(location) && !existsSync(location)) return [];
  const catalog = await openCatalog(location);
  try {
    return (await latestGenerations(catalog)).map(({ platform }) => platform);
  } finally {
    await catalog.destroy();
  }
}

/** What has no meaning of its own, neither to rsyncd.conf (`%`, `\`, ends of lines, `/./`) nor within quotes to a shell. */
const FOLDER = /^\/(?!\s)[^\p{Cc}%\\'"`$]*(?<!\s)$/u;

function folder(option: string, text: string): string {
  const path = resolve(text);
  if (FOLDER.test(path)) return path;
  throw wrong(option, `${JSON.stringify(path.slice(0, 200))} has characters that an rsyncd.conf cannot hold`);
}

const isWithin = (inner: string, outer: string) => inner === outer || inner.startsWith(`${outer}/`);

function name(option: string, text: string): string {
  if (/^(?:[a-z_][a-z0-9_-]{0,31}|\d{1,10})$/.test(text)) return text;
  throw wrong(option, `${JSON.stringify(text.slice(0, 100))} is not the name of a user or a group`);
}

function moduleNameOf(text: string, platforms: readonly string[]): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(text) || text === "global") {
    throw wrong("--module-name", `${JSON.stringify(text.slice(0, 100))} is not a module's name`);
  }
  if (![OPTIN_MODULE, ...platforms].includes(text)) return text;
  throw wrong("--module-name", `${text} is the name of another module`);
}

function addressOf(text: string): string {
  if (isIP(text) !== 0 && !text.includes("%")) return text;
  throw wrong("--address", `${JSON.stringify(text.slice(0, 100))} is not an IP address`);
}

function integer(option: string, text: string, min: number, max: number): number {
  if (/^\d{1,9}$/.test(text) && Number(text) >= min && Number(text) <= max) return Number(text);
  throw wrong(option, `${JSON.stringify(text.slice(0, 100))} is not a number from ${min} to ${max}`);
}

function wrong(option: string, what: string): NearlayerError {
  return new NearlayerError("USAGE", `${option}: ${what}`, { hint: "`syncer help rsyncd-config` has examples" });
}
