import { randomUUID } from "node:crypto";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { inspect } from "node:util";
import { bumpRevision, type Catalog, openCatalog, readRevision } from "@nearlayer/shared/catalog/open";
import { putVariant, readVariant } from "@nearlayer/shared/catalog/variants";
import { type RevisionWatchOptions, watchRevision } from "@nearlayer/shared/catalog/watch";
import { digestOf } from "@nearlayer/shared/digest";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { guarded, type Postgres, startPostgres } from "../lib/peers/postgres.ts";
import { type TemporaryFolder, temporaryFolder } from "../lib/process/folder.ts";
import { until } from "../lib/process/until.ts";
import { skipUnless, whyNot } from "../lib/requirements.ts";

/** What only PostgreSQL can do to a catalog; all else is in catalog.test.ts. */
describe("a catalog on PostgreSQL", () => {
  let folder: TemporaryFolder;
  let server: Postgres;
  let location: string;

  beforeAll(async () => {
    folder = await temporaryFolder("catalog");
    if ((await whyNot("postgres")) === undefined) {
      server = await startPostgres({ dir: await folder.at("postgres"), fsync: true });
    }
  });
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });
  beforeEach(async (context) => {
    await skipUnless(context, "postgres");
    location = await server.createDatabase();
  });
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  const database = () => new URL(location).pathname.slice(1);
  const asGuarded = (password = "") =>
    location.replace("nearlayer@", `${guarded.user}${password === "" ? "" : `:${encodeURIComponent(password)}`}@`);
  const change = (catalog: Catalog) => catalog.transaction().execute(bumpRevision);

  test("goes away and comes back: queries fail with a reason, then work again, and nothing is lost", async () => {
    await using catalog = await openCatalog(location);
    const variant = { digest: digestOf("variant"), original: digestOf("original"), urls: "[]" };
    await putVariant(catalog, variant);
    await server.halt("immediate");
    try {
      for (const attempt of [readRevision(catalog), change(catalog), openCatalog(location)]) {
        await expect(attempt).rejects.toMatchObject({
          code: "CATALOG_FAILED",
          message: expect.stringContaining(`catalog ${location} is out of reach`),
          hint: expect.stringContaining("by themselves"),
        });
      }
    } finally {
      await server.resume();
    }
    expect(await readVariant(catalog, variant.digest)).toStrictEqual(variant);
    await change(catalog);
  });

  test("goes away in the middle of a transaction: it fails with the reason, and nothing of it is there", async () => {
    await using catalog = await openCatalog(location);
    const before = await readRevision(catalog);
    const work = catalog.transaction().execute(async (transaction) => {
      await bumpRevision(transaction);
      await server.halt("fast");
      await bumpRevision(transaction);
    });
    await expect(work).rejects.toMatchObject({ code: "CATALOG_FAILED", hint: expect.stringContaining("server") });
    await server.resume();
    expect(await readRevision(catalog)).toBe(before);
  });

  test("is watched through an outage: the loss and the return are told, and what changed meanwhile", async () => {
    await using catalog = await openCatalog(location);
    const watched = watch(catalog, location);
    await using _ = watched;
    await until(() => watched.told.length === 1, { what: "the first revision" });
    const first = await readRevision(catalog);

    await server.halt("fast");
    await until(() => watched.states.at(-1) === "lost", { what: "the loss" });
    await server.resume();
    await until(() => watched.states.at(-1) === "ok", { what: "the return" });
    await change(catalog);
    await until(() => watched.told.at(-1) === first + 1, { what: "the change" });
    expect(watched.states).toStrictEqual(["lost", "ok"]);
    expect(watched.told).toStrictEqual([first, first + 1]);
  });

  test("tells of changes by itself: the watch does not ask", async () => {
    await using catalog = await openCatalog(location);
    await using writer = await openCatalog(location);
    const watched = watch(catalog, location, { safetyPollMs: 3_600_000 });
    await using _ = watched;
    const first = await readRevision(catalog);
    await listening();
    for (const revision of [first + 1, first + 2]) {
      await change(writer);
      await until(() => watched.told.at(-1) === revision, { what: "the change" });
    }
    // Its connection breaks: it listens again, and what it missed is told.
    await server.query(`select pg_terminate_backend(pid) from pg_stat_activity where ${isListening()}`);
    await change(writer);
    await until(() => watched.told.at(-1) === first + 3, { what: "the change that was missed" });
    await listening();
    await change(writer);
    await until(() => watched.told.at(-1) === first + 4, { what: "the change after that" });
    expect(watched.states).toStrictEqual([]);
  });

  test("is left without a connection when all is closed", async () => {
    const catalog = await openCatalog(location);
    const watched = watch(catalog, location);
    await listening();
    await watched[Symbol.asyncDispose]();
    await catalog.destroy();
    const count = () => server.query(`select count(*) from pg_stat_activity where datname = '${database()}'`);
    await until(async () => (await count()) === "0", { what: "the connections to be gone" });
  });

  test("asks for a password: it comes from the URL, from PGPASSWORD or from a file, and is never shown", async () => {
    await server.query(`alter database ${database()} owner to ${guarded.user}`);
    const passfile = join(await folder.at(randomUUID()), "pgpass");
    await writeFile(passfile, `*:*:*:${guarded.user}:${guarded.password.replace(":", "\\:")}\n`);
    await chmod(passfile, 0o600);

    const wrong = "not-the-password";
    const refused = await openCatalog(asGuarded(wrong)).catch((error: unknown) => error);
    expect(refused).toMatchObject({
      code: "CATALOG_FAILED",
      message: expect.stringContaining(`${guarded.user}:***@127.0.0.1`),
      hint: expect.stringContaining("PGPASSWORD"),
    });
    expect(inspect(refused, { depth: 10, showHidden: true })).not.toContain(wrong);
    await expect(openCatalog(asGuarded())).rejects.toMatchObject({
      code: "CATALOG_FAILED",
      message: expect.stringContaining("refuses the login"),
    });

    const opens = async (url: string) => (await openCatalog(url)).destroy();
    await opens(asGuarded(guarded.password));
    vi.stubEnv("PGPASSWORD", guarded.password);
    await opens(asGuarded());
    vi.unstubAllEnvs();
    vi.stubEnv("PGPASSFILE", passfile);
    const warnings: Error[] = [];
    process.on("warning", (warning) => warnings.push(warning));
    await opens(asGuarded());
    expect(warnings).toStrictEqual([]);
  });

  test("that is not there, or not ours, is refused with what to do about it", async () => {
    await expect(openCatalog(location.replace(database(), "no_such"))).rejects.toMatchObject({
      code: "CATALOG_FAILED",
      message: expect.stringContaining("does not exist"),
      hint: expect.stringContaining("createdb"),
    });
    await expect(openCatalog(asGuarded(guarded.password))).rejects.toMatchObject({
      code: "CATALOG_FAILED",
      message: expect.stringContaining("permission denied"),
      hint: expect.stringContaining("owner to"),
    });
  });

  const isListening = () => `datname = '${database()}' and query like 'listen %'`;
  const listening = () =>
    until(async () => (await server.query(`select count(*) from pg_stat_activity where ${isListening()}`)) === "1", {
      what: "the watch to listen",
    });
});

/** A watch that keeps what it was told. */
function watch(catalog: Catalog, location: string, options: Partial<RevisionWatchOptions> = {}) {
  const told: number[] = [];
  const states: ("ok" | "lost")[] = [];
  const watched = watchRevision(catalog, location, {
    ...options,
    onChange: (revision) => void told.push(revision),
    onState: ({ ok }) => states.push(ok ? "ok" : "lost"),
  });
  return { told, states, [Symbol.asyncDispose]: () => watched[Symbol.asyncDispose]() };
}
