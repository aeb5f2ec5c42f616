// Another process that writes to a catalog: node writer.ts LOCATION images NAME COUNT | stay | migrate | events
import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "kysely";
import { parseRepository } from "../../reference.ts";
import { recordEvents } from "../events.ts";
import { recordImage } from "../images.ts";
import { migrate } from "../migrate.ts";
import { MIGRATIONS } from "../migrations.ts";
import { bumpRevision, openCatalog } from "../open.ts";
import { AMD64, sampleImage } from "./samples.ts";

const [location = "", what, name = "", count = "1"] = process.argv.slice(2);
const catalog = await openCatalog(location);

/** Images with a layer that all of them share, one after the other. */
async function recordImages(): Promise<void> {
  for (let index = 0; index < Number(count); index += 1) {
    const layers = { [AMD64]: ["shared", `${name}-${index}`] };
    await recordImage(catalog, sampleImage({ repository: `test/${name}`, tag: String(index), layers }));
  }
}

/** Writes, and stays in the middle of its transaction until it is killed. */
async function stayInTransaction(): Promise<void> {
  await catalog.transaction().execute(async (transaction) => {
    const half = sampleImage({ layers: { [AMD64]: ["half"] } });
    await transaction.insertInto("repository").values({ name: half.repository }).execute();
    await transaction
      .insertInto("tag")
      .values({ repository: half.repository, name: half.tag, digest: half.digest })
      .execute();
    await bumpRevision(transaction);
    console.log("in the middle");
    await sleep(60_000);
  });
}

/** Stays in the middle of a migration until it is killed; the one before is done by then. */
async function stayInMigration(): Promise<void> {
  await migrate(catalog, {
    ...MIGRATIONS,
    "9998-first": { up: async (db) => void (await sql`create table first_new (id integer)`.execute(db)) },
    "9999-second": {
      async up(db) {
        await sql`create table second_new (id integer)`.execute(db);
        console.log("in the middle");
        await sleep(60_000);
      },
    },
  });
}

/** Writes an event down, says so, and does nothing more to keep it. */
async function writeEvent(): Promise<void> {
  const wanted = { repository: parseRepository("test/event"), optional: false };
  await recordEvents(catalog, [{ source: "a", key: "1", part: 0, topic: "t", body: undefined, wanted }], new Date());
  console.log("written down");
  await sleep(60_000);
}

if (what === "events") await writeEvent();
if (what === "images") await recordImages();
if (what === "stay") await stayInTransaction();
if (what === "migrate") await stayInMigration();
await catalog.destroy();
