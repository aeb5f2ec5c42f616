import { sql } from "kysely";
import { expect, test } from "vitest";
import { recordImage } from "../images.ts";
import { migrate } from "../migrate.ts";
import { MIGRATIONS } from "../migrations.ts";
import { openCatalog } from "../open.ts";
import type { ContractPart } from "./contract.ts";
import { readTags } from "./read-tags.ts";
import { AMD64, sampleImage } from "./samples.ts";

export const migrationsContract: ContractPart = (fixture) => {
  test("opening it again changes nothing of it", async () => {
    const { catalog, open } = fixture();
    await recordImage(catalog, sampleImage({ layers: { [AMD64]: ["a"] } }));
    expect(await readTags(await open())).toHaveLength(1);
  });

  test("several processes that start on a new catalog at once all get it", async () => {
    const { catalog, startWriter } = fixture();
    await dropEverything(catalog);
    const writers = ["a", "b", "c"].map((name) => startWriter("images", name, "1"));
    for (const writer of writers) expect(await writer.ended()).toStrictEqual({ code: 0, stderr: "" });
    expect(await readTags(catalog)).toHaveLength(3);
  });

  test("a migration that fails half-way leaves nothing, and the next try completes it", async () => {
    const { catalog, open } = fixture();
    let isBroken = true;
    const next = {
      ...MIGRATIONS,
      "9998-first": {
        up: async (db: typeof catalog) => void (await sql`create table first_new (id integer)`.execute(db)),
      },
      "9999-second": {
        async up(db: typeof catalog) {
          await sql`create table second_new (id integer)`.execute(db);
          if (isBroken) throw new Error("broken on purpose");
        },
      },
    };
    await expect(migrate(catalog, next)).rejects.toThrow("broken on purpose");
    // This version still knows all that is there.
    await open();
    isBroken = false;
    await migrate(catalog, next);
    await sql`insert into first_new select id from second_new`.execute(catalog);
  });

  test("a process that is killed in the middle of a migration leaves nothing of it", async () => {
    const { catalog, open, startWriter } = fixture();
    const writer = startWriter("migrate");
    expect(await writer.nextLine()).toBe("in the middle");
    await writer.kill();
    await open();
    const tables = await catalog.introspection.getTables();
    expect(tables.filter(({ name }) => name.endsWith("_new"))).toStrictEqual([]);
  });

  test("a catalog of a newer version is refused by name, and left as it is", async () => {
    const { catalog, location } = fixture();
    await recordImage(catalog, sampleImage({ layers: { [AMD64]: ["a"] } }));
    await sql`insert into kysely_migration (name, timestamp) values ('9999-future', '2030-01-01T00:00:00.000Z')`.execute(
      catalog,
    );
    await expect(openCatalog(location)).rejects.toMatchObject({
      code: "CATALOG_FAILED",
      message: expect.stringContaining("newer version of Nearlayer (9999-future)"),
      hint: expect.stringContaining("the version that wrote it"),
    });
    expect(await readTags(catalog)).toHaveLength(1);
  });
};

async function dropEverything(catalog: Parameters<typeof recordImage>[0]): Promise<void> {
  for (const { name } of await catalog.introspection.getTables({ withInternalKyselyTables: true })) {
    await catalog.schema.dropTable(name).execute();
  }
}
