import { existsSync } from "node:fs";
import { isPostgres } from "../config/load.ts";
import { type Catalog, openCatalog } from "./open.ts";

/** Opens the catalog to look at it. A file that is not there yet is not made: it reads as an empty catalog. */
export async function openCatalogToRead(location: string): Promise<Catalog> {
  return openCatalog(isPostgres(location) || existsSync(location) ? location : ":memory:");
}
