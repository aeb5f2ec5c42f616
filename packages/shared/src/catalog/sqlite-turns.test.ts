import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bumpRevision, type Catalog, openCatalog, readRevision } from "./open.ts";
import { takeTurn } from "./sqlite-turns.ts";
import { readMoment } from "./transaction.ts";

describe("two connections to one file in one process", () => {
  let folder: string;
  let first: Catalog;
  let second: Catalog;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "nearlayer-turns-"));
    first = await openCatalog(join(folder, "catalog.db"));
    second = await openCatalog(join(folder, "catalog.db"));
  });
  afterEach(async () => {
    await first.destroy();
    await second.destroy();
    await rm(folder, { recursive: true, force: true });
  });

  /** A writer that is slow enough for others to come in between. */
  const writeSlowly = (catalog: Catalog) =>
    catalog.transaction().execute(async (transaction) => {
      const before = await readRevision(transaction);
      await sleep(50);
      await bumpRevision(transaction);
      return before;
    });

  test("write one after the other, transactions and single statements, and none keeps the other from going on", async () => {
    const start = await readRevision(first);
    const single = async () => {
      await sleep(10);
      await bumpRevision(second);
    };
    const [one, two] = await Promise.all([writeSlowly(first), writeSlowly(second), single(), writeSlowly(first)]);
    expect(Math.abs(one - two)).toBeGreaterThan(0);
    expect(await readRevision(second)).toBe(start + 4);
  });

  test("a reader waits for no writer", async () => {
    const start = await readRevision(first);
    const order: string[] = [];
    const writing = writeSlowly(first).then(() => order.push("written"));
    await sleep(10);
    expect(await readRevision(second)).toBe(start);
    expect(await readMoment(second, (moment) => readRevision(moment))).toBe(start);
    order.push("read");
    await writing;
    expect(order).toEqual(["read", "written"]);
  });

  test("a transaction that fails lets the next one in", async () => {
    const broken = first.transaction().execute(async () => {
      throw new Error("broken");
    });
    await expect(broken).rejects.toThrow("broken");
    await bumpRevision(second);
  });
});

test("a turn that does not come is given up, and does not hold up those behind it", async () => {
  const end = await takeTurn("catalog.db");
  await expect(takeTurn("catalog.db", 20)).rejects.toMatchObject({ code: "CATALOG_FAILED" });
  const third = takeTurn("./catalog.db");
  end();
  (await third)();
  (await takeTurn("catalog.db"))();
});
