import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { BuiltImage } from "./image.ts";

/** Writes an image of one platform as skopeo's `dir:` has it, for where only a command can push it. */
export async function writeImageFolder(folder: string, image: BuiltImage): Promise<void> {
  const [only, ...others] = image.manifests;
  if (only === undefined || others.length > 0) throw new Error("dir: holds an image of one platform");
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "version"), "Directory Transport Version: 1.1\n");
  await writeFile(join(folder, "manifest.json"), image.bytes);
  for (const { digest, bytes } of [only.config, ...only.layers]) {
    await writeFile(join(folder, digest.replace("sha256:", "")), bytes);
  }
}
