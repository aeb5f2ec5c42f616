import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createTree, type Tree } from "@nearlayer/mirrorlist/testing/tree";
import { pubDir } from "@nearlayer/shared/tree";
import { stringify } from "yaml";
import { startMirrorlist } from "./nearlayer.ts";
import type { Daemon } from "./process/daemon.ts";
import { freePort } from "./process/ports.ts";
import { runOk } from "./process/run.ts";
import { until } from "./process/until.ts";

/** What `/mirrors.json` says of a mirror. */
export interface MirrorSeen {
  readonly name: string;
  readonly state: string;
  readonly reason?: string;
  readonly platforms: readonly {
    readonly platform: string;
    readonly state: string;
    readonly generation?: number;
    readonly shown?: number;
    readonly doubt?: string;
    readonly failure?: string;
  }[];
}

/** A real tree with real mirrors around it, and `mirrorlist serve`, which crawls them. */
export interface Crawled extends AsyncDisposable {
  readonly tree: Tree;
  /** What the tree exports. */
  readonly pub: string;
  readonly config: string;
  readonly url: string;
  readonly daemon: Daemon;
  seen(): Promise<MirrorSeen[]>;
  /** Waits until what is said of a mirror passes; says what it was last when it does not. */
  untilSeen(name: string, check: (mirror: MirrorSeen) => boolean, within?: number): Promise<MirrorSeen>;
}

export interface CrawledOptions {
  readonly dir: string;
  readonly tree: Tree;
  readonly mirrors: readonly Readonly<Record<string, unknown>>[];
  readonly crawler?: Readonly<Record<string, unknown>>;
}

/** Half a second is an interval here, and everything else as short. */
export const HASTY = { interval: "500ms", auditEvery: "500ms", quarantine: "1s" };

export async function startCrawled({ dir, tree, mirrors, crawler = {} }: CrawledOptions): Promise<Crawled> {
  const url = `http://127.0.0.1:${await freePort()}`;
  const config = join(dir, "nearlayer.yaml");
  const settings = {
    catalog: tree.location,
    root: tree.root,
    mirrorlist: { listen: new URL(url).host },
    mirrors: mirrors.map((mirror) => ({ country: "JP", allowPrivateAddress: true, ...mirror })),
    crawler: { ...HASTY, ...crawler },
  };
  await writeFile(config, stringify(settings));
  const daemon = await startMirrorlist(config, url, dir);
  const seen = async () => {
    const answer = (await (await fetch(`${url}/mirrors.json`)).json()) as { mirrors: MirrorSeen[] };
    return answer.mirrors;
  };
  return {
    ...{ tree, config, url, daemon, seen, pub: pubDir(tree.root) },
    async untilSeen(name, check, within = 20_000) {
      let last: MirrorSeen | undefined;
      try {
        await until(
          async () => {
            last = (await seen()).find((mirror) => mirror.name === name);
            return last !== undefined && check(last);
          },
          { what: `${name} to be seen so`, within, every: 50 },
        );
      } catch (cause) {
        throw new Error(`${name} is ${JSON.stringify(last)}`, { cause });
      }
      return last as MirrorSeen;
    },
    [Symbol.asyncDispose]: () => daemon.stop(),
  };
}

export { createTree };

/** What a mirror admin's cron job does: one plain rsync. */
export async function pullTree(from: string, to: string, ...more: readonly string[]): Promise<void> {
  await runOk("rsync", ["-aH", ...more, `${from}/`, `${to}/`]);
}
