import type { Config, SourceConfig } from "@nearlayer/shared/config/schema";
import type { Generation } from "@nearlayer/shared/generation";
import type { Reference } from "@nearlayer/shared/reference";
import { countTags } from "../progress/progress.ts";
import { makeGenerations, restoreState } from "../publish/generations.ts";
import type { Source } from "../source/source.ts";
import { partsOf, type Scope, scopeOf } from "../source/walk.ts";
import { type StoreContext, withStore } from "./context.ts";
import { type Run, UNATTENDED } from "./run.ts";
import { requireSource, withSource } from "./source.ts";
import { type SyncedPart, syncPart } from "./sync-part.ts";

/** What a sync did. */
export interface SyncResult extends SyncedPart {
  readonly generations: readonly Generation[];
  /** How long all of it took. */
  readonly seconds: number;
}

/**
 * So many repositories, or single tags, are read and fetched before the next: memory follows them, not the source, and what
 * they bring is recorded before the rest is read.
 */
const PART = 250;

/** A run that takes longer shows what it has so far, in milliseconds. */
const SHOW_EVERY_MS = 30_000;

/**
 * Brings the tree up to what the source has, part by part (`sync-part.ts`), and makes the generations. What fails, fails
 * alone. `wanted` is what to look at; without any references, everything.
 */
export async function sync(
  config: Config,
  wanted: readonly Reference[] | Scope = [],
  run: Run = UNATTENDED,
): Promise<SyncResult> {
  const settings = requireSource(config);
  const work = async (context: StoreContext) => {
    await restoreState(context.catalog, context.root, context.signer);
    return withSource(settings, run, (source) => syncFrom(source, settings, context, wanted));
  };
  return withStore(config, "syncer sync", work, run);
}

async function syncFrom(
  source: Source,
  settings: SourceConfig,
  context: StoreContext,
  wanted: readonly Reference[] | Scope,
): Promise<SyncResult> {
  const { catalog, root, signer, run } = context;
  const begun = performance.now();
  run.progress.phase("reading the source");
  const scope = "wanted" in wanted ? wanted : await scopeOf(source, settings, wanted);
  const onTag = countTags(run.progress);
  const synced: SyncedPart[] = [];
  const generations: Generation[] = [];
  let shownAt = begun;
  for (const part of partsOf(scope, PART)) {
    if (performance.now() - shownAt > SHOW_EVERY_MS) {
      generations.push(...(await makeGenerations(catalog, root, signer, new Date())));
      shownAt = performance.now();
    }
    synced.push(await syncPart(source, settings, context, part, onTag));
  }
  generations.push(...(await makeGenerations(catalog, root, signer, new Date())));
  return { ...sumOf(synced), generations, seconds: Math.round(performance.now() - begun) / 1000 };
}

function sumOf(parts: readonly SyncedPart[]): SyncedPart {
  const sum = (of: (part: SyncedPart) => number) => parts.reduce((total, part) => total + of(part), 0);
  return {
    checked: sum(({ checked }) => checked),
    unchanged: sum(({ unchanged }) => unchanged),
    updated: parts.flatMap(({ updated }) => updated),
    removed: parts.flatMap(({ removed }) => removed),
    failures: parts.flatMap(({ failures }) => failures),
    fetched: { blobs: sum(({ fetched }) => fetched.blobs), bytes: sum(({ fetched }) => fetched.bytes) },
  };
}
