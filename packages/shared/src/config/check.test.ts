import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { checkConfig, summarizeConfigCheck } from "./check.ts";

const folder = mkdtempSync(join(tmpdir(), "nearlayer-check-"));
afterAll(() => rmSync(folder, { recursive: true }));

function check(text: string) {
  const file = join(folder, "nearlayer.yaml");
  writeFileSync(file, text);
  return { file, result: checkConfig(file) };
}

test("a good configuration has no mistakes, whether or not there is what it names", () => {
  const { file, result } = check("catalog: ./not/there.db\npublish: {key: ./nor/this.pem}\n");
  expect(result).toEqual({ file, ok: true, mistakes: [] });
  expect(summarizeConfigCheck(result)).toBe(`${file}: all well`);
});

test("every mistake has file, line, key and reason", () => {
  const { file, result } = check(
    "root: ./data\nsource:\n  urll: http://x\nmirrors:\n  - {name: a, url: 'ftp://x/', country: DE}\n",
  );
  expect(result.ok).toBe(false);
  expect(result.mistakes).toContainEqual({ file, line: 3, key: "source.urll", reason: "unknown key" });
  expect(result.mistakes).toContainEqual({ file, line: 5, key: "mirrors[0].url", reason: "not an http or https URL" });
  expect(summarizeConfigCheck(result).split("\n")).toContain(`${file}:3: source.urll: unknown key`);
});

test("what is no YAML is told with its line", () => {
  const { file, result } = check("root: [\n");
  expect(result.mistakes).toEqual([{ file, line: 2, column: 1, key: "", reason: expect.stringContaining("not YAML") }]);
});

test("a file that is not there is an error, not a mistake in it", () => {
  expect(() => checkConfig(join(folder, "nothing.yaml"))).toThrow(/nothing\.yaml: cannot be read/);
});
