import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { chmod, chown } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "kysely";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { digestOf } from "../digest.ts";
import { openCatalog, readRevision } from "./open.ts";
import { openSqliteFile } from "./sqlite-database.ts";
import { readMoment } from "./transaction.ts";

describe("a catalog in a file", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "nearlayer-catalog-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  test("a file that is something else is refused, and left as it is", async () => {
    const file = join(folder, "notes.txt");
    const text = "These are my notes.\n".repeat(500);
    writeFileSync(file, text);
    await expect(openCatalog(file)).rejects.toMatchObject({
      code: "CATALOG_FAILED",
      message: expect.stringContaining(`catalog ${file} is not a catalog`),
      hint: expect.stringContaining("another path"),
    });
    expect(readFileSync(file, "utf8")).toBe(text);
  });

  test("a folder is refused", async () => {
    await expect(openCatalog(folder)).rejects.toMatchObject({
      code: "CATALOG_FAILED",
      message: expect.stringContaining(`catalog ${folder} cannot be opened`),
      hint: expect.stringContaining("must name a file"),
    });
  });

  test("a path through a file is refused", async () => {
    writeFileSync(join(folder, "file"), "");
    await expect(openCatalog(join(folder, "file", "catalog.db"))).rejects.toMatchObject({ code: "CATALOG_FAILED" });
  });

  // Root may write everywhere, so that somebody else has to try.
  test.skipIf(process.getuid?.() !== 0)("a file that may not be written is refused", async () => {
    const file = join(folder, "catalog.db");
    await (await openCatalog(file)).destroy();
    await chmod(folder, 0o755);
    const program = `
      const { openCatalog } = await import(${JSON.stringify(`${import.meta.dirname}/open.ts`)});
      process.setgid(65534);
      process.setuid(65534);
      await openCatalog(${JSON.stringify(file)}).catch(({ code, message, hint }) => console.log(code, message, hint));`;
    const tried = spawnSync(process.execPath, ["--input-type=module", "-e", program], { encoding: "utf8" });
    expect(tried.stdout).toContain(`CATALOG_FAILED catalog ${file} cannot be written`);
    expect(tried.stdout).toContain("must be writable for this user");
    await chown(folder, 65534, 65534);
    await chown(file, 65534, 65534);
    expect(spawnSync(process.execPath, ["--input-type=module", "-e", program], { encoding: "utf8" }).stdout).toBe("");
  });

  test.skipIf(!canMount())("a full disk is told as that, and what was committed is still there", async () => {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", folder]);
    try {
      const catalog = await openCatalog(join(folder, "catalog.db"));
      const content = new Uint8Array(100_000);
      const insert = (index: number) =>
        catalog.transaction().execute(async (transaction) => {
          const digest = digestOf(String(index));
          await transaction.insertInto("blob").values({ digest, size: content.length, content }).execute();
        });
      let count = 0;
      const fill = async () => {
        for (; count < 100; count += 1) await insert(count);
      };
      await expect(fill()).rejects.toMatchObject({ code: "DISK_FULL", hint: expect.stringContaining("make room") });
      const { rows } = await sql<{ n: number }>`select count(*) as n from blob`.execute(catalog);
      expect(rows).toStrictEqual([{ n: count }]);
      execFileSync("mount", ["-o", "remount,size=8m", folder]);
      await insert(count);
      await catalog.destroy();
    } finally {
      execFileSync("umount", [folder]);
    }
  });

  test("the WAL that a long reader let grow is cut back", async () => {
    const file = join(folder, "catalog.db");
    const catalog = await openCatalog(file);
    const writer = await openCatalog(file);
    const content = new Uint8Array(8 << 20);
    const write = (name: string) =>
      writer
        .insertInto("blob")
        .values({ digest: digestOf(name), size: content.length, content })
        .execute();
    await readMoment(catalog, async (moment) => {
      await readRevision(moment);
      for (let index = 0; index < 12; index += 1) await write(String(index));
      expect(statSync(`${file}-wal`).size).toBeGreaterThan(90 << 20);
    });
    // The first write after the reader moves all of it into the file, the next begins the WAL anew.
    await write("first");
    await write("second");
    expect(statSync(`${file}-wal`).size).toBeLessThanOrEqual(64 << 20);
    await Promise.all([catalog.destroy(), writer.destroy()]);
  });

  test("a statement is prepared once, and the least used are let go", () => {
    const database = openSqliteFile(join(folder, "statements.db"));
    const first = database.prepare("select 1");
    expect(database.prepare("select 1")).toBe(first);
    for (let index = 2; index < 300; index += 1) {
      database.prepare(`select ${index}`);
      database.prepare("select 1");
    }
    expect(database.prepare("select 1")).toBe(first);
    const second = database.prepare("select 2");
    expect(database.prepare("select 2")).toBe(second);
    expect(second.all([])).toEqual([{ 2: 2 }]);
    database.close();
  });

  test("a cached statement sees a table as it has become", () => {
    const database = openSqliteFile(join(folder, "statements.db"));
    database.prepare("create table t (a)").run([]);
    database.prepare("insert into t values (1)").run([]);
    expect(database.prepare("select * from t").all([])).toEqual([{ a: 1 }]);
    database.prepare("alter table t add column b default 2").run([]);
    expect(database.prepare("select * from t").all([])).toEqual([{ a: 1, b: 2 }]);
    database.close();
  });
});

/** Whether a small file system can be made here: root only, and not in every container. */
function canMount(): boolean {
  if (process.getuid?.() !== 0) return false;
  const folder = mkdtempSync(join(tmpdir(), "nearlayer-mount-"));
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]).status === 0;
  if (mounted) spawnSync("umount", [folder]);
  rmSync(folder, { recursive: true, force: true });
  return mounted;
}
