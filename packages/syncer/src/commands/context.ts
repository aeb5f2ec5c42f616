import { readFileSync } from "node:fs";
import { type Catalog, openCatalog } from "@nearlayer/shared/catalog/open";
import type { Config } from "@nearlayer/shared/config/schema";
import { messageOf, NearlayerError } from "@nearlayer/shared/errors";
import { createSigner, type Signer } from "@nearlayer/shared/note";
import { lockStore, lockTree } from "../store/lock.ts";
import { type Run, UNATTENDED } from "./run.ts";

/** What a command that changes the store works with. */
export interface StoreContext {
  readonly config: Config;
  readonly catalog: Catalog;
  readonly root: string;
  readonly signer: Signer | undefined;
  readonly run: Run;
}

/** What a command locks: the store, the published tree, or both. See `store/lock.ts`. */
export type Locks = "store" | "tree" | "store and tree";

/**
 * Runs `work` with the store (or what `locks` names) locked and the catalog open, and lets go of all whatever happens.
 * Throws the reason of the run's signal when that is aborted meanwhile, whatever the work made of it.
 */
export async function withStore<T>(
  config: Config,
  command: string,
  work: (context: StoreContext) => Promise<T>,
  run: Run = UNATTENDED,
  locks: Locks = "store",
): Promise<T> {
  // What can be wrong with the configuration is found before anything is touched.
  const signer = readSigner(config);
  await using held = new AsyncDisposableStack();
  if (locks !== "tree") held.use(await lockStore(config.root, command));
  if (locks !== "store") held.use(await lockTree(config.root, command));
  const catalog = await openCatalog(config.catalog);
  try {
    const result = await work({ config, catalog, root: config.root, signer, run });
    run.signal.throwIfAborted();
    return result;
  } catch (error) {
    run.signal.throwIfAborted();
    throw error;
  } finally {
    await catalog.destroy();
  }
}

export function readSigner({ publish: { key, keyName } }: Config): Signer | undefined {
  if (key === undefined) return undefined;
  let pem: string;
  try {
    pem = readFileSync(key, "utf8");
  } catch (cause) {
    throw new NearlayerError("CONFIG_INVALID", `publish.key ${key}: cannot be read: ${messageOf(cause)}`, {
      cause,
      hint: "make one with `syncer key generate`",
    });
  }
  return createSigner(keyName, pem);
}
