import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { digestOf, hexOf } from "@nearlayer/shared/digest";
import { ingestDir } from "@nearlayer/shared/tree";
import { afterEach, beforeEach, expect, test } from "vitest";
import { blobFolder, clearStaleDownloads, tryLockBlob } from "./blob-lock.ts";

const hex = hexOf(digestOf("a blob"));
let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "nearlayer-blob-lock-"));
});
afterEach(() => rm(root, { recursive: true }));

/** Holds the lock in another process until it is told to clear the folder and let go. */
async function holdElsewhere() {
  const module = JSON.stringify(new URL("./blob-lock.ts", import.meta.url).href);
  const script = `
    import { tryLockBlob } from ${module};
    const lock = await tryLockBlob(${JSON.stringify(root)}, ${JSON.stringify(hex)});
    console.log("held");
    for await (const _ of process.stdin) { lock.clear(); await lock[Symbol.asyncDispose](); console.log("gone"); }`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  expect((await lines.next()).value).toBe("held");
  return { child, lines };
}

test("a blob is held against this process and others, until it is let go", async () => {
  {
    await using lock = await tryLockBlob(root, hex);
    expect(lock).toBeDefined();
    expect(await tryLockBlob(root, hex)).toBeUndefined();
    await using other = await tryLockBlob(root, hexOf(digestOf("another")));
    expect(other).toBeDefined();
  }
  const { child, lines } = await holdElsewhere();
  expect(await tryLockBlob(root, hex)).toBeUndefined();
  child.stdin.end("go\n");
  expect((await lines.next()).value).toBe("gone");
  await using lock = await tryLockBlob(root, hex);
  expect(lock).toBeDefined();
  await once(child, "close");
});

test("a killed holder leaves nothing to clean up", async () => {
  const { child } = await holdElsewhere();
  child.kill("SIGKILL");
  await once(child, "close");
  await using lock = await tryLockBlob(root, hex);
  expect(lock).toBeDefined();
});

test("stale downloads are cleared away, those under way are not", async () => {
  const stale = hexOf(digestOf("stale"));
  await mkdir(blobFolder(root, stale), { recursive: true });
  await writeFile(join(blobFolder(root, stale), "data"), "a beginning");
  await using lock = await tryLockBlob(root, hex);
  expect(lock).toBeDefined();
  expect(await clearStaleDownloads(root, () => true)).toEqual([stale]);
  expect(await readdir(ingestDir(root))).toEqual([hex]);
});
