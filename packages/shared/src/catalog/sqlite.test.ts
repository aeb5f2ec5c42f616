import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeCatalog } from "./testing/contract.ts";

describeCatalog("SQLite", async () => {
  const folder = await mkdtemp(join(tmpdir(), "nearlayer-catalog-"));
  return {
    location: join(folder, "data", "catalog.db"),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
});
