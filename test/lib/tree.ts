import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { sha256 } from "./images/blob.ts";

/** What a tree shows, read with nothing but its format in mind (DESIGN.md, "The tree"). */
export interface TreeState {
  /** `platform sha256:…` of every blob; each was hashed. */
  readonly blobs: ReadonlySet<string>;
  /** The generation that each platform shows. */
  readonly generations: Readonly<Record<string, number>>;
}

const BLOB = /^([^/]+)\/blobs\/sha256\/([0-9a-f]{2})\/([0-9a-f]{64})$/;
const STATE = /^zz-state\/([^/]+)\/(GENERATION|list-\d+\.gz|delta-\d+-\d+\.gz)$/;
/** What an rsync that was killed leaves at its destination, and what nearlayer-mirror has there of its own. */
const NOT_PUBLISHED = /(?:^|\/)\.[^/]+\.[A-Za-z0-9]{6}$|^\.nearlayer\/|^nearlayer-mirror\.txt$/;

/**
 * Reads a whole tree, and throws where it does not hold: a file that does not hash to its name or has none of a tree's
 * names, or a generation that names a file that is not there. `isTarget` allows for what only a target or a mirror has.
 */
export async function readTree(pub: string, { isTarget = false } = {}): Promise<TreeState> {
  const entries = await readdir(pub, { recursive: true, withFileTypes: true }).catch(() => []);
  const names = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(pub.length + 1));
  const blobs = new Set<string>();
  const platforms: string[] = [];
  for (const name of names) {
    const [, platform, prefix, hex] = BLOB.exec(name) ?? [];
    if (platform !== undefined && prefix !== undefined && hex !== undefined) {
      const digest = sha256(await readFile(join(pub, name)));
      if (digest !== `sha256:${hex}` || !hex.startsWith(prefix)) throw new Error(`${name} holds ${digest}`);
      blobs.add(`${platform} ${digest}`);
      continue;
    }
    const [, ofPlatform, file] = STATE.exec(name) ?? [];
    if (file === "GENERATION" && ofPlatform !== undefined) platforms.push(ofPlatform);
    else if (file === undefined && !(isTarget && NOT_PUBLISHED.test(name))) throw new Error(`what is ${name}?`);
  }
  const generations: Record<string, number> = {};
  for (const platform of platforms) generations[platform] = await readGeneration(pub, platform);
  return { blobs, generations };
}

async function readGeneration(pub: string, platform: string): Promise<number> {
  const folder = join(pub, "zz-state", platform);
  const note = await readFile(join(folder, "GENERATION"), "utf8");
  const field = (name: string) => new RegExp(`^${name}: (.+)$`, "m").exec(note)?.[1];
  const number = Number(field("number"));
  const list = gunzipSync(await readFile(join(folder, `list-${number}.gz`)));
  if (sha256(list) !== `sha256:${field("list-sha256")}`) throw new Error(`${platform}: list-${number} is another`);
  const lines = list.toString().split("\n").filter(Boolean);
  if (lines.length !== Number(field("files"))) throw new Error(`${platform}: list-${number} has ${lines.length} lines`);
  for (const line of lines) {
    const [hex = "", size] = line.split(" ");
    const path = join(pub, platform, "blobs/sha256", hex.slice(0, 2), hex);
    const found = await stat(path).catch(() => undefined);
    if (found?.size !== Number(size)) {
      throw new Error(`${platform}: generation ${number} names ${hex}, ${size} bytes; there are ${found?.size}`);
    }
  }
  return number;
}
