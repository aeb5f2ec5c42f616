import { mkdir, rm, statfs, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run, runOk } from "./process/run.ts";

/** A small file system of its own: a tmpfs, which only root can mount. */
export interface SmallDisk extends AsyncDisposable {
  readonly path: string;
  /** Fills it up, but for so many bytes. */
  fill(left: number): Promise<void>;
  /** Takes away what filled it. */
  free(): Promise<void>;
}

/** Why there can be no small disk here, or undefined. */
export async function whyNoSmallDisk(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return "only root can mount a tmpfs";
  const { exitCode, stderr } = await run("unshare", ["--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]);
  return exitCode === 0 ? undefined : `a tmpfs cannot be mounted: ${stderr.trim()}`;
}

export async function mountSmallDisk(path: string, bytes: number): Promise<SmallDisk> {
  await mkdir(path, { recursive: true });
  await runOk("mount", ["-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", path]);
  const filler = join(path, "filler");
  return {
    path,
    async fill(left) {
      await writeFile(filler, "");
      const { bavail, bsize } = await statfs(path);
      // A hole takes no space: it has to be written.
      await writeFile(filler, Buffer.alloc(Math.max(0, bavail * bsize - left)));
    },
    async free() {
      await truncate(filler).catch(() => {});
      await rm(filler, { force: true });
    },
    async [Symbol.asyncDispose]() {
      await runOk("umount", [path]);
    },
  };
}
