import { stat } from "node:fs/promises";
import { join } from "node:path";
import { digestOf } from "@nearlayer/shared/digest";
import type { RsyncdOptions } from "@nearlayer/syncer/commands/rsyncd-config";
import { afterAll, beforeAll, expect } from "vitest";
import {
  createMirrorScript,
  installMirrorScript,
  type MirrorScript,
  type Shell,
  shells,
} from "./peers/mirror-script.ts";
import { type RsyncDaemon, startMaster } from "./peers/rsyncd.ts";
import { type TemporaryFolder, temporaryFolder } from "./process/folder.ts";
import type { RunResult } from "./process/run.ts";
import { createPublishedTree, type PublishedTree } from "./published-tree.ts";
import { readTree, type TreeState } from "./tree.ts";

/** A master and a mirror that pulls from it by `nearlayer-mirror`, in one of the shells that it must work in. */
export interface MirrorRig extends AsyncDisposable {
  readonly dir: string;
  readonly tree: PublishedTree;
  readonly master: RsyncDaemon;
  readonly mirror: MirrorScript;
  sync(...args: string[]): Promise<RunResult>;
  /** What the mirror shows; throws when that does not hold. */
  shown(): Promise<TreeState>;
  /** Expects the mirror to show just what the master does. */
  expectSame(): Promise<void>;
  /** The names of the files that the master sent meanwhile. */
  sent(action: () => Promise<unknown>): Promise<string[]>;
}

/** What the rigs of a test file share. */
export interface RigShop extends AsyncDisposable {
  readonly folder: TemporaryFolder;
  readonly script: string;
  readonly shell: Shell;
  rig(options?: RigOptions): Promise<MirrorRig>;
}

export interface RigOptions {
  readonly settings?: Readonly<Record<string, string | undefined>>;
  /** More options of `syncer rsyncd-config`. */
  readonly master?: RsyncdOptions;
}

export async function openRigShop(shellName: string): Promise<RigShop> {
  const folder = await temporaryFolder("mirror");
  const script = await installMirrorScript(await folder.at("usr"));
  const shell = (await shells(folder.path)).find(({ name }) => name === shellName);
  if (shell === undefined) throw new Error(`there is no ${shellName}`);
  let count = 0;
  return {
    ...{ folder, script, shell },
    async rig({ settings, master: options = {} } = {}) {
      const dir = await folder.at(`rig${++count}`);
      const tree = await createPublishedTree(dir);
      const master = await startMaster({ dir: await folder.at(`rig${count}`, "master"), config: tree.config, options });
      const mirror = await createMirrorScript({
        ...{ dir: await folder.at(`rig${count}`, "mirror"), script, shell },
        settings: { master: `${master.url}containers/`, verifier: tree.verifier, ...settings },
      });
      const shown = () => readTree(mirror.target, { isTarget: true });
      return {
        ...{ dir, tree, master, mirror, shown },
        sync: (...rest) => mirror.run(["sync", ...rest]),
        async expectSame() {
          expect(await shown()).toEqual(await readTree(tree.pub));
        },
        async sent(action) {
          const mark = await master.transfers.mark();
          await action();
          return (await master.transfers.entries(mark)).map(({ path }) => path).sort();
        },
        async [Symbol.asyncDispose]() {
          await master.stop();
          await tree[Symbol.asyncDispose]();
        },
      };
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

/** Opens a shop before the tests of the block that this is called in, and closes it after them. */
export function useRigShop(shellName: string): () => RigShop {
  let shop: RigShop | undefined;
  beforeAll(async () => {
    shop = await openRigShop(shellName);
  });
  afterAll(async () => {
    await shop?.[Symbol.asyncDispose]();
  });
  return () => {
    if (shop === undefined) throw new Error("the shop opens with the first test");
    return shop;
  };
}

/** Where a blob with that content is, below a tree's root. */
export function blobAt(platform: string, content: string | Buffer): string {
  const hex = digestOf(Buffer.from(content)).slice("sha256:".length);
  return join(platform, "blobs/sha256", hex.slice(0, 2), hex);
}

/** Some content that is named by a digest with that beginning: files are sent in the order of their names. */
export function contentNamed(prefix: string, seed: string, length = 0): Buffer {
  for (let count = 0; ; count += 1) {
    const content = Buffer.concat([Buffer.from(`${seed} ${count}`), Buffer.alloc(length)]);
    if (digestOf(content).startsWith(`sha256:${prefix}`)) return content;
  }
}

export const sizeOf = (path: string): Promise<number> => stat(path).then(({ size }) => size);
