import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { digestOf } from "@nearlayer/shared/digest";
import { parsePlatform } from "@nearlayer/shared/platform";
import { pubBlobPath, storeBlobPath } from "@nearlayer/shared/tree";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BLOB_MTIME } from "../store/blob-file.ts";
import { linkBlob } from "./tree.ts";

const digest = digestOf("layer");
const amd64 = parsePlatform("linux-amd64");
const arm64 = parsePlatform("linux-arm64");
let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "nearlayer-tree-"));
  const stored = storeBlobPath(root, digest);
  mkdirSync(dirname(stored), { recursive: true });
  writeFileSync(stored, "layer");
  utimesSync(stored, BLOB_MTIME, BLOB_MTIME);
  chmodSync(stored, 0o444);
});
afterEach(() => rmSync(root, { recursive: true }));

const inode = (path: string) => statSync(path).ino;

test("a blob of two platforms is one file with three names", async () => {
  await linkBlob(root, amd64, digest, new Set());
  await linkBlob(root, arm64, digest, new Set());
  const stored = storeBlobPath(root, digest);
  expect(inode(pubBlobPath(root, amd64, digest))).toBe(inode(stored));
  expect(inode(pubBlobPath(root, arm64, digest))).toBe(inode(stored));
  expect(statSync(stored).nlink).toBe(3);
});

test("the folder of a name is always flushed, the one above it where it was made for it", async () => {
  for (const isNew of [true, false]) {
    const flushLater = new Set<string>();
    await linkBlob(root, amd64, digest, flushLater);
    const folder = dirname(pubBlobPath(root, amd64, digest));
    expect([flushLater.has(folder), flushLater.has(dirname(folder))]).toEqual([true, isNew]);
  }
});

test("another file under the name is replaced", async () => {
  const path = pubBlobPath(root, amd64, digest);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, "something else");
  await linkBlob(root, amd64, digest, new Set());
  expect(inode(path)).toBe(inode(storeBlobPath(root, digest)));
});
