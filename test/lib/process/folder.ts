import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "./run.ts";

/** A folder of a test's own, removed when it is disposed of. Its path is short, since Unix sockets live in it. */
export interface TemporaryFolder extends AsyncDisposable {
  readonly path: string;
  /** A folder in it, made when it is not there. */
  at(...names: string[]): Promise<string>;
}

export async function temporaryFolder(name = "test"): Promise<TemporaryFolder> {
  const path = await mkdtemp(join(tmpdir(), `nearlayer-${name}-`));
  return {
    path,
    async at(...names) {
      const folder = join(path, ...names);
      await mkdir(folder, { recursive: true });
      return folder;
    },
    async [Symbol.asyncDispose]() {
      await unmountAll(path);
      await rm(path, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

/** A dockerd that fails to start leaves its data folder mounted on itself. */
async function unmountAll(path: string): Promise<void> {
  const mounts = (await readFile("/proc/self/mounts", "utf8").catch(() => "")).split("\n");
  const inside = mounts.map((line) => line.split(" ")[1] ?? "").filter((point) => point.startsWith(`${path}/`));
  for (const point of inside.reverse()) await run("umount", ["--lazy", point]);
}
