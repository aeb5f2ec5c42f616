import { whenFree } from "@nearlayer/shared/catalog/busy";
import type { Catalog } from "@nearlayer/shared/catalog/open";
import { putVariants, type VariantRecord } from "@nearlayer/shared/catalog/variants";

/** How long a writer waits for its turn; after that the client gets the original, which is always right. */
const WRITE_MS = 2000;

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
      return whenFree(() => putVariants(catalog, records), WRITE_MS);
    });
    return written;
  };
}
