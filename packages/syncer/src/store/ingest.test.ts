import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOf, hexOf } from "@nearlayer/shared/digest";
import { ingestDir, storeBlobPath } from "@nearlayer/shared/tree";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sizeOf } from "./durable.ts";
import { BLOB_MTIME, ingest } from "./ingest.ts";

const content = Buffer.from("some bytes of a layer");
const wanted = { digest: digestOf(content), size: content.length, ref: "a layer" };
let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "nearlayer-ingest-"));
});
afterEach(() => rm(root, { recursive: true }));

const partial = () => join(ingestDir(root), hexOf(wanted.digest), "data");

test("a blob appears under its digest: whole, read-only, with the constant time", async () => {
  expect(await ingest(root, wanted, (_, write) => write({ offset: 0, body: [content] }))).toBe(content.length);
  const path = storeBlobPath(root, wanted.digest);
  expect(await readFile(path)).toEqual(content);
  const { mode, mtimeMs } = await stat(path);
  expect(mode & 0o777).toBe(0o444);
  expect(mtimeMs).toBe(BLOB_MTIME * 1000);
  expect(await sizeOf(partial())).toBeUndefined();
});

test("what is in the store is not asked for again", async () => {
  await ingest(root, wanted, (_, write) => write({ offset: 0, body: [content] }));
  const again = ingest(root, wanted, () => Promise.reject(new Error("asked again")));
  await expect(again).resolves.toBe(0);
});

test("a download that broke off goes on where it stopped", async () => {
  const broken = ingest(root, wanted, (_, write) => write({ offset: 0, body: [content.subarray(0, 8)] }));
  await expect(broken).rejects.toThrow("a layer: ended after 8 of 21 bytes");
  expect(await sizeOf(storeBlobPath(root, wanted.digest))).toBeUndefined();
  const rest = await ingest(root, wanted, (offset, write) => write({ offset, body: [content.subarray(offset)] }));
  expect(rest).toBe(content.length - 8);
});

test("a source without Range begins again, and that is right too", async () => {
  await mkdir(join(partial(), ".."), { recursive: true });
  await writeFile(partial(), content.subarray(0, 8));
  await ingest(root, wanted, (_, write) => write({ offset: 0, body: [content] }));
  expect(await readFile(storeBlobPath(root, wanted.digest))).toEqual(content);
});

test.each([
  ["other bytes", Buffer.from("other bytes of layer!"), "DIGEST_MISMATCH"],
  ["more bytes", Buffer.concat([content, content]), "SIZE_MISMATCH"],
])("%s are refused and leave nothing to go on from", async (_, bytes, code) => {
  const refused = ingest(root, wanted, (_offset, write) => write({ offset: 0, body: [bytes] }));
  await expect(refused).rejects.toMatchObject({ code });
  expect(await sizeOf(storeBlobPath(root, wanted.digest))).toBeUndefined();
  expect((await sizeOf(partial())) ?? 0).toBe(0);
});

test("a spoilt beginning on disk is found out, and the next run begins anew", async () => {
  await mkdir(join(partial(), ".."), { recursive: true });
  await writeFile(partial(), "SPOILT");
  const give = (offset: number, write: (given: { offset: number; body: Buffer[] }) => Promise<void>) =>
    write({ offset, body: [content.subarray(offset)] });
  await expect(ingest(root, wanted, give)).rejects.toMatchObject({ code: "DIGEST_MISMATCH" });
  await ingest(root, wanted, give);
  expect(await readFile(storeBlobPath(root, wanted.digest))).toEqual(content);
});

test("an empty blob is a blob", async () => {
  const empty = { digest: digestOf(""), size: 0, ref: "empty" };
  await ingest(root, empty, (_, write) => write({ offset: 0, body: [] }));
  expect(await sizeOf(storeBlobPath(root, empty.digest))).toBe(0);
});
