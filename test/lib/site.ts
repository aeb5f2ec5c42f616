import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { stringify } from "yaml";
import { sha256 } from "./images/blob.ts";
import { syncer } from "./nearlayer.ts";
import type { RunOptions, RunResult } from "./process/run.ts";

/** What `syncer --json sync` prints, as far as tests look at it. */
export interface SyncReport {
  readonly checked: number;
  readonly unchanged: number;
  readonly updated: readonly string[];
  readonly failures: readonly {
    readonly repository: string;
    readonly tag?: string;
    readonly code: string;
    readonly message: string;
  }[];
  readonly fetched: { readonly blobs: number; readonly bytes: number };
}

/** A syncer with a configuration, a catalog and a root of its own. */
export interface Site {
  readonly config: string;
  readonly root: string;
  sync(args?: readonly string[], options?: RunOptions): Promise<RunResult & { readonly report: SyncReport }>;
  /** Runs another command of the syncer, and reads what it prints as JSON. */
  run<Report>(...args: readonly string[]): Promise<RunResult & { readonly report: Report }>;
  /** Changes keys of `source`, and other parts of the configuration as a whole. */
  configure(
    source: Readonly<Record<string, unknown>>,
    others?: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  ): Promise<void>;
  /** `repository:tag` and the digest that the catalog has for it. */
  tags(): Record<string, string>;
  /** The digests of the manifests that can be asked for in a repository. */
  manifests(repository: string): string[];
  /** Every blob under pub/, as `platform sha256:…`. Throws when one does not hash to its name. */
  published(): Promise<string[]>;
}

export async function createSite(dir: string, source: Readonly<Record<string, unknown>>): Promise<Site> {
  const [config, root, catalog] = [join(dir, "nearlayer.yaml"), join(dir, "root"), join(dir, "catalog.db")];
  let settings = { retries: 2, timeout: "2s", ...source };
  let others = {};
  const configure: Site["configure"] = async (changed, changedOthers = {}) => {
    settings = { ...settings, ...changed };
    others = { ...others, ...changedOthers };
    await writeFile(config, stringify({ catalog, root, source: settings, ...others }));
  };
  await configure({});
  const query = (sql: string, ...values: string[]) => {
    using database = new DatabaseSync(catalog, { readOnly: true });
    return database.prepare(sql).all(...values);
  };
  return {
    ...{ config, root, configure },
    async sync(args = [], options = {}) {
      const result = await syncer(config, ["--json", "sync", ...args], options);
      return { ...result, report: JSON.parse(result.stdout || "null") as SyncReport };
    },
    async run<Report>(...args: readonly string[]) {
      const result = await syncer(config, ["--json", ...args]);
      return { ...result, report: JSON.parse(result.stdout || "null") as Report };
    },
    tags: () =>
      Object.fromEntries(
        query("select repository || ':' || name as name, digest from tag order by 1").map((row) => [
          String(row.name),
          String(row.digest),
        ]),
      ),
    manifests: (repository) =>
      query("select digest from repository_manifest where repository = ?", repository).map((row) => String(row.digest)),
    async published() {
      const pub = join(root, "pub");
      const found: string[] = [];
      for (const path of await readdir(pub, { recursive: true }).catch(() => [])) {
        const [, platform, hex] = /^([^/]+)\/blobs\/sha256\/[0-9a-f]{2}\/([0-9a-f]{64})$/.exec(path) ?? [];
        if (platform === undefined || hex === undefined) continue;
        const digest = sha256(await readFile(join(pub, path)));
        if (digest !== `sha256:${hex}`) throw new Error(`${path} holds ${digest}`);
        found.push(`${platform} ${digest}`);
      }
      return found.sort();
    },
  };
}

/** What an image of random layers shows under pub/ once it is carried. */
export function publishedBlobs(image: {
  readonly manifests: readonly {
    readonly platform: { readonly os: string; readonly architecture: string };
    readonly config: { readonly digest: string };
    readonly layers: readonly { readonly digest: string }[];
  }[];
}): string[] {
  const blobs = image.manifests.flatMap(({ platform: { os, architecture }, config, layers }) =>
    [config, ...layers].map(({ digest }) => `${os}-${architecture} ${digest}`),
  );
  return [...new Set(blobs)].sort();
}
