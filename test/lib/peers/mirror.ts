import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { runOk } from "../process/run.ts";
import { type Nginx, startNginx } from "./nginx.ts";

/** A mirror as its admin runs it: a folder that rsync fills and a web server that serves it, nothing else. */
export interface Mirror extends Nginx {
  /** The folder that it serves. */
  readonly root: string;
  /** Fetches what the master has, by one plain rsync. */
  pull(master: string): Promise<void>;
}

export interface MirrorOptions {
  readonly name: string;
  readonly dir: string;
  readonly port?: number;
  /** `DIR/tree` by default. */
  readonly root?: string;
  /** More directives for its server block: a mirror with a fault, say. */
  readonly server?: readonly string[];
}

export async function startMirror({ server = [], ...options }: MirrorOptions): Promise<Mirror> {
  const root = options.root ?? join(options.dir, "tree");
  await mkdir(root, { recursive: true });
  const nginx = await startNginx({ ...options, server: [`root ${root};`, ...server] });
  return {
    ...nginx,
    root,
    async pull(master) {
      await runOk("rsync", ["-aH", "--timeout=60", master, `${root}/`]);
    },
  };
}
