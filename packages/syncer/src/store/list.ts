import { opendir, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, fromHex, isHex } from "@nearlayer/shared/digest";
import { systemCode } from "@nearlayer/shared/errors";
import { storeDir } from "@nearlayer/shared/tree";

/** A blob that is in the store. */
export interface StoredFile {
  readonly digest: Digest;
  readonly size: number;
  /** When its file was made. The modification time is the same for all, and tells nothing. */
  readonly since: Date;
}

/** Every blob of the store, sorted by digest, a folder at a time. */
export async function* listStore(root: string): AsyncGenerator<StoredFile[]> {
  const folder = join(storeDir(root), "blobs", "sha256");
  for (const prefix of await namesIn(folder)) {
    const names = (await namesIn(join(folder, prefix))).filter(isHex);
    yield await Promise.all(
      names.map(async (hex) => {
        const { size, birthtime, ctime } = await stat(join(folder, prefix, hex));
        return { digest: fromHex(hex), size, since: birthtime.getTime() > 0 ? birthtime : ctime };
      }),
    );
  }
}

async function namesIn(folder: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const { name } of await opendir(folder)) names.push(name);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
  return names.sort();
}
