import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Catalog } from "@nearlayer/shared/catalog/open";
import { isKnownGeneration } from "@nearlayer/shared/catalog/served";
import type { Target } from "@nearlayer/shared/config/target";
import { isNearlayerError } from "@nearlayer/shared/errors";
import { type Generation, parseGeneration } from "@nearlayer/shared/generation";
import { isPlatform, type Platform } from "@nearlayer/shared/platform";
import type { Shown } from "./choose.ts";
import { RsyncExit, type RsyncSettings, readState, runRsync } from "./rsync.ts";
import type { Snapshot } from "./snapshot.ts";

/** Reads which generations the target shows, or undefined where it lets nobody read. */
export async function readShownAt(
  { catalog, snapshot, settings }: { catalog: Catalog; snapshot: Snapshot; settings: RsyncSettings },
  target: Target,
  scratch: string,
): Promise<Map<Platform, Shown> | undefined> {
  const folder = join(scratch, "shown");
  await mkdir(folder);
  try {
    await runRsync(readState(target, folder), target, settings);
  } catch (error) {
    const exit = error instanceof Error && error.cause instanceof RsyncExit ? error.cause : undefined;
    if (exit?.exitCode === 1 && /write only/.test(exit.message)) return undefined;
    // 23: there is no state there, or no folder yet.
    if (exit?.exitCode !== 23) throw error;
  }
  const shown = new Map<Platform, Shown>();
  for (const name of await readdir(folder)) {
    if (!isPlatform(name)) continue;
    const text = await readFile(join(folder, name, "GENERATION"), "utf8").catch(() => undefined);
    const generation = text === undefined ? undefined : parseShown(text);
    // What cannot be read is no state at all: a full pass replaces it.
    if (generation === undefined) continue;
    const isOurs = generation.platform === name && (await isKnownGeneration(catalog, generation));
    shown.set(name, { number: generation.number, isOurs, isCurrent: text === snapshot.shown.get(name)?.text });
  }
  return shown;
}

function parseShown(text: string): Generation | undefined {
  try {
    return parseGeneration(text);
  } catch (error) {
    if (isNearlayerError(error, "GENERATION_INVALID")) return undefined;
    throw error;
  }
}
