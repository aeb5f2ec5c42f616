import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { gatherLines } from "./log-lines.ts";

test("lines go on together, in their order, and whole however long they are", async () => {
  const passed: string[] = [];
  const lines = gatherLines((bytes) => passed.push(bytes.toString()));
  const long = `${"ä".repeat(40_000)}\n`;
  const written = ["one\n", "zwölf\n", long, ...Array.from({ length: 5000 }, (_, index) => `line ${index}\n`)];
  for (const line of written) lines.write(line);
  lines.flush();
  expect(passed.join("")).toBe(written.join(""));
  expect(passed.length).toBeLessThan(10);
});

test("a line does not wait for long, and nothing is passed on twice", async () => {
  const passed: string[] = [];
  const lines = gatherLines((bytes) => passed.push(bytes.toString()));
  lines.write("one\n");
  expect(passed).toEqual([]);
  await sleep(200);
  lines.flush();
  expect(passed).toEqual(["one\n"]);
});
