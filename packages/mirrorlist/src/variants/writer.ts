import { setTimeout as sleep } from "node:timers/promises";
import type { Catalog } from "@nearlayer/shared/catalog/open";
import { isBusy, putVariants, type VariantRecord } from "@nearlayer/shared/catalog/variants";

/** How long a writer waits for its turn; after that the client gets the original, which is always right. */
const WRITE_MS = 2000;
const RETRY_MS = 20;

/** Writes a variant down; resolves when it is in the catalog, and rejects when it is not. */
export type PutVariant = (record: VariantRecord) => Promise<void>;

/** What is put while one turn of the event loop lasts is written at once: the children of an index, and many clients'. */
export function createVariantWriter(catalog: Catalog): PutVariant {
  let batch: VariantRecord[] = [];
  let written: Promise<void> | undefined;
  return (record) => {
    batch.push(record);
    written ??= new Promise((resolve) => setImmediate(resolve)).then(() => {
      const records = batch;
      [batch, written] = [[], undefined];
      return putWhenFree(catalog, records);
    });
    return written;
  };
}

/**
 * SQLite has one writer at a time, and waiting inside it would hold up every request: the connection that is given
 * does not wait, and the waiting is done here.
 */
async function putWhenFree(catalog: Catalog, records: readonly VariantRecord[]): Promise<void> {
  const deadline = performance.now() + WRITE_MS;
  for (;;) {
    try {
      return await putVariants(catalog, records);
    } catch (error) {
      if (!isBusy(error) || performance.now() > deadline) throw error;
      await sleep(RETRY_MS);
    }
  }
}
