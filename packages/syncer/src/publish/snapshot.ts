import { copyFileSync, linkSync, mkdirSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { NearlayerError, systemCode } from "@nearlayer/shared/errors";
import { type Generation, parseGeneration } from "@nearlayer/shared/generation";
import { isPlatform, type Platform } from "@nearlayer/shared/platform";
import { generationName, pubDir, STATE_DIR } from "@nearlayer/shared/tree";
import { readShown } from "./state.ts";

/** The state of the tree as it was at one moment. */
export interface Snapshot {
  /** A folder that holds `zz-state/`, as the tree had it. */
  readonly folder: string;
  /** What the tree showed of each platform: its GENERATION, as text and read. */
  readonly shown: ReadonlyMap<Platform, { readonly text: string; readonly generation: Generation }>;
}

/** How often a platform is tried whose generation changes while its state is noted. */
const MAX_TRIES = 10;

/**
 * Notes the state of the tree, by hardlinks in a folder of its own. From then on a sync may make new generations, while
 * this state is carried to slow targets: all blobs of it are in the tree already, and stay for as long as nothing removes.
 */
export async function takeSnapshot(root: string, folder: string): Promise<Snapshot> {
  const shown = new Map<Platform, { text: string; generation: Generation }>();
  const names: string[] = await readdir(join(pubDir(root), STATE_DIR)).catch(() => []);
  for (const platform of names.filter(isPlatform)) {
    const text = await noteState(root, folder, platform);
    if (text !== undefined) shown.set(platform, { text, generation: parseGeneration(text) });
  }
  return { folder, shown };
}

/** Returns the GENERATION that was noted, or undefined where none is shown yet. */
async function noteState(root: string, folder: string, platform: Platform): Promise<string | undefined> {
  const [from, to] = [pubDir(root), folder].map((base) => join(base, STATE_DIR, platform)) as [string, string];
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const text = await readShown(root, platform);
    if (text === undefined) return undefined;
    const { number } = parseGeneration(text);
    await rm(to, { recursive: true, force: true });
    mkdirSync(to, { recursive: true });
    // What is of a later generation is there before that is shown; what is old goes after.
    const names = (await readdir(from)).filter((name) => Number(/-(\d+)\.gz$/.exec(name)?.[1] ?? Infinity) <= number);
    for (const name of [...names, "GENERATION"]) linkIfThere(join(from, name), join(to, name));
    if ((await readShown(root, platform)) === text) return text;
  }
  throw new NearlayerError("PUBLISH_FAILED", `${generationName(platform)} changes all the time`, {
    hint: "run the same command again",
  });
}

function linkIfThere(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if (systemCode(error) === "EMLINK") copyFileSync(from, to);
    else if (systemCode(error) !== "ENOENT") throw error;
  }
}
