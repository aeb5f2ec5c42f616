import { lstat, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { digestOf, hexOf } from "@nearlayer/shared/digest";
import { ownFolder, REJECTED, type Upload, unlessGone } from "./folder.ts";

/** How many rejected uploads are kept, for the operator to look at; the oldest go. */
const MAX_REJECTED = 200;

/** Moves an upload to `rejected/`, with the reason in a file beside it. A later one of the same name takes its place. */
export async function reject(folder: string, upload: Upload, reason: string): Promise<void> {
  const rejected = await ownFolder(folder, REJECTED);
  // Other names are whatever bytes somebody has thought of.
  const name = upload.means === undefined ? `unnamed-${hexOf(digestOf(upload.file)).slice(0, 16)}` : upload.file;
  const target = join(rejected, name);
  const named = upload.means === undefined ? `${JSON.stringify(upload.file.slice(0, 300))}: ` : "";
  for (const path of [target, `${target}.reason`]) await rm(path, { recursive: true, force: true });
  await writeFile(`${target}.reason`, `${named}${reason}\n`, { flag: "wx", mode: 0o600 });
  await rename(upload.path, target).catch(unlessGone);
  await prune(rejected);
}

/** Cost: a name and a look for each that there is; uploads cannot be named into the folder but by us. */
async function prune(rejected: string): Promise<void> {
  const names = await readdir(rejected);
  if (names.length <= 2 * MAX_REJECTED) return;
  const aged = await Promise.all(
    names.map(async (name) => ({ name, at: (await lstat(join(rejected, name)).catch(() => undefined))?.ctimeMs ?? 0 })),
  );
  const oldest = aged.sort((a, b) => a.at - b.at).slice(0, names.length - 2 * MAX_REJECTED);
  for (const { name } of oldest) await rm(join(rejected, name), { recursive: true, force: true });
}
