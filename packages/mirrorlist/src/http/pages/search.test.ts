import { expect, test } from "vitest";
import { searchNames } from "./search.ts";

const NAMES = ["apps/web-app", "apps/webmail", "tools/web", "web", "other", "v1.0-RC"];

test("what is nearest to what was typed comes first", async () => {
  expect(await searchNames(NAMES, " web ")).toEqual(["web", "tools/web", "apps/web-app", "apps/webmail"]);
  expect(await searchNames(NAMES, "app mail")).toEqual(["apps/webmail"]);
  expect(await searchNames(NAMES, "rc")).toEqual(["v1.0-RC"]);
  expect(await searchNames(NAMES, "<script>")).toEqual([]);
  expect(await searchNames(NAMES, " ")).toEqual(NAMES);
});

test("among very many, others get their turn", async () => {
  const names = Array.from({ length: 25_000 }, (_, index) => `repository-${index}`);
  let turns = 0;
  const timer = setInterval(() => (turns += 1), 0);
  expect(await searchNames(names, "9999")).toEqual(["repository-9999", "repository-19999"]);
  clearInterval(timer);
  expect(turns).toBeGreaterThan(0);
});
