import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { describeLocation } from "./location.ts";
import { openCatalog } from "./open.ts";

describe("where a catalog is, for people", () => {
  test.each([
    ["/var/lib/nearlayer/catalog.db", "/var/lib/nearlayer/catalog.db"],
    ["postgres://host/db", "postgres://host/db"],
    ["postgresql://user@host:5433/db", "postgres://user@host:5433/db"],
    ["postgres://user:secret@host/db?sslmode=verify-full&password=secret", "postgres://user:***@host/db"],
    ["postgres://user:se%2Fcr%40et@[::1]/db", "postgres://user:***@[::1]/db"],
    ["postgres://user:secret@/db?host=/run/postgresql", "postgres://user:***@/run/postgresql/db"],
  ])("%s", (location, shown) => {
    expect(describeLocation(location)).toBe(shown);
  });

  test("a URL that cannot be read is not shown at all", async () => {
    const opened = openCatalog("postgres://user:secret/word@host:port/db");
    await expect(opened).rejects.toMatchObject({ code: "CATALOG_FAILED", hint: expect.stringContaining("USER@HOST") });
    const error = await opened.catch((thrown: unknown) => thrown);
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain("secret");
  });
});
