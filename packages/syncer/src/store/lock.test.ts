import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lockStore } from "./lock.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "nearlayer-lock-"));
});
afterEach(() => rmSync(root, { recursive: true }));

/** Takes the lock in another process, which is then killed or ends well. */
function lockElsewhere(then: string) {
  const module = JSON.stringify(fileURLToPath(new URL("./lock.ts", import.meta.url)));
  const script = `import { lockStore } from ${module}; await lockStore(${JSON.stringify(root)}, "other"); ${then}`;
  return spawnSync(process.execPath, ["--input-type=module", "--eval", script], { encoding: "utf8" });
}

test("a second process is refused, and told who works", async () => {
  await using _lock = await lockStore(root, "syncer sync");
  const { stderr, status } = lockElsewhere("");
  expect(status).not.toBe(0);
  expect(stderr).toContain(`is in use by syncer sync (process ${process.pid} on`);
});

test("a killed holder leaves nothing to clean up", async () => {
  expect(lockElsewhere('process.kill(process.pid, "SIGKILL")').signal).toBe("SIGKILL");
  await using lock = await lockStore(root, "syncer sync");
  expect(lock).toBeDefined();
});

test("what is let go of can be taken again", async () => {
  for (const name of ["one", "two"]) {
    await using lock = await lockStore(root, name);
    expect(lock).toBeDefined();
  }
});

test("a second attempt in the same process is refused too, and does not loosen the first", async () => {
  await using _lock = await lockStore(root, "one");
  await expect(lockStore(root, "two")).rejects.toMatchObject({ code: "STORE_LOCKED" });
  expect(lockElsewhere("").status).not.toBe(0);
});
