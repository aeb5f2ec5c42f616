import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

/** Everything below a folder as the file system has it: whoever touches a file is found out, even when it looks the same. */
export async function snapshot(folder: string): Promise<Record<string, string>> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const entries = names.map(async (name) => {
    const { ino, mode, nlink, size, mtimeNs, ctimeNs } = await stat(join(folder, name), { bigint: true });
    return [name, [ino, mode.toString(8), nlink, size, mtimeNs, ctimeNs].join(" ")] as const;
  });
  return Object.fromEntries((await Promise.all(entries)).sort());
}
