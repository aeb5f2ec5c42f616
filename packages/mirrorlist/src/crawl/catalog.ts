import { failWhenBusy, flushRarely } from "@nearlayer/shared/catalog/busy";
import { type Catalog, openCatalog } from "@nearlayer/shared/catalog/open";
import { createMirrorAgent, type MirrorAgent } from "../mirrors/agent.ts";

/**
 * The crawler's own connection to the catalog: it waits for no other writer, and what it writes need not survive a power
 * failure to the last second, since the next round shows it again. Its commits cost no flush of the disk on the thread that
 * answers requests.
 */
export async function openCrawlCatalog(location: string): Promise<Catalog> {
  const catalog = await openCatalog(location);
  await failWhenBusy(catalog);
  await flushRarely(catalog);
  return catalog;
}

/** A mirror has its turn once in an interval: no connection is kept for the next one. */
export const createCrawlAgent = (): MirrorAgent => createMirrorAgent({ connections: 2, keepAliveTimeout: 1000 });
