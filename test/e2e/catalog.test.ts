import { describeCatalog } from "@nearlayer/shared/catalog/testing/contract";
import { afterAll, beforeAll } from "vitest";
import { type Postgres, startPostgres } from "../lib/peers/postgres.ts";
import { type TemporaryFolder, temporaryFolder } from "../lib/process/folder.ts";
import { skipUnless, whyNot } from "../lib/requirements.ts";

let folder: TemporaryFolder;
let server: Postgres | undefined;

beforeAll(async () => {
  folder = await temporaryFolder("catalog");
  if ((await whyNot("postgres")) === undefined) server = await startPostgres({ dir: await folder.at("postgres") });
});

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

describeCatalog("PostgreSQL", async (context) => {
  await skipUnless(context, "postgres");
  if (server === undefined) throw new Error("PostgreSQL is not there");
  return { location: await server.createDatabase(), [Symbol.asyncDispose]: async () => {} };
});
