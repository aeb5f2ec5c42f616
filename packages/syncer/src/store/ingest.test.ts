import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { digestOf, hexOf } from "@nearlayer/shared/digest";
import { ingestDir, storeBlobPath } from "@nearlayer/shared/tree";
import { afterEach, beforeEach, expect, test } from "vitest";
import { pourFrom } from "../pour.ts";
import { BLOB_MTIME, putBlob } from "./blob-file.ts";
import { sizeOf } from "./durable.ts";
import { type Give, ingest } from "./ingest.ts";

const content = Buffer.from("some bytes of a layer");
const wanted = { digest: digestOf(content), size: content.length, ref: "a layer" };
let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "nearlayer-ingest-"));
});
afterEach(() => rm(root, { recursive: true }));

const partial = () => join(ingestDir(root), hexOf(wanted.digest), "data");

test("a blob appears under its digest: whole, read-only, with the constant time", async () => {
  expect(await ingest(root, wanted, (_, write) => write({ offset: 0, pour: pourFrom([content]) }))).toBe(
    content.length,
  );
  const path = storeBlobPath(root, wanted.digest);
  expect(await readFile(path)).toEqual(content);
  const { mode, mtimeMs } = await stat(path);
  expect(mode & 0o777).toBe(0o444);
  expect(mtimeMs).toBe(BLOB_MTIME * 1000);
  expect(sizeOf(partial())).toBeUndefined();
});

test("what is in the store is not asked for again", async () => {
  await ingest(root, wanted, (_, write) => write({ offset: 0, pour: pourFrom([content]) }));
  const again = ingest(root, wanted, () => Promise.reject(new Error("asked again")));
  await expect(again).resolves.toBe(0);
});

test("a download that broke off goes on where it stopped", async () => {
  const broken = ingest(root, wanted, (_, write) => write({ offset: 0, pour: pourFrom([content.subarray(0, 8)]) }));
  await expect(broken).rejects.toThrow("a layer: ended after 8 of 21 bytes");
  expect(sizeOf(storeBlobPath(root, wanted.digest))).toBeUndefined();
  const rest = await ingest(root, wanted, (offset, write) =>
    write({ offset, pour: pourFrom([content.subarray(offset)]) }),
  );
  expect(rest).toBe(content.length - 8);
});

test("a source without Range begins again, and that is right too", async () => {
  await mkdir(join(partial(), ".."), { recursive: true });
  await writeFile(partial(), content.subarray(0, 8));
  await ingest(root, wanted, (_, write) => write({ offset: 0, pour: pourFrom([content]) }));
  expect(await readFile(storeBlobPath(root, wanted.digest))).toEqual(content);
});

test.each([
  ["other bytes", Buffer.from("other bytes of layer!"), "DIGEST_MISMATCH"],
  ["more bytes", Buffer.concat([content, content]), "SIZE_MISMATCH"],
])("%s are refused and leave nothing to go on from", async (_, bytes, code) => {
  const refused = ingest(root, wanted, (_offset, write) => write({ offset: 0, pour: pourFrom([bytes]) }));
  await expect(refused).rejects.toMatchObject({ code });
  expect(sizeOf(storeBlobPath(root, wanted.digest))).toBeUndefined();
  expect(sizeOf(partial()) ?? 0).toBe(0);
});

test("a spoilt beginning on disk is found out, and the blob is fetched whole", async () => {
  await mkdir(join(partial(), ".."), { recursive: true });
  await writeFile(partial(), "SPOILT");
  const asked: number[] = [];
  await ingest(root, wanted, (offset, write) => {
    asked.push(offset);
    return write({ offset, pour: pourFrom([content.subarray(offset)]) });
  });
  expect(asked).toEqual([6, 0]);
  expect(await readFile(storeBlobPath(root, wanted.digest))).toEqual(content);
});

test("what was killed just before it got its name is not fetched again", async () => {
  await mkdir(join(partial(), ".."), { recursive: true });
  await writeFile(partial(), content);
  expect(await ingest(root, wanted, () => Promise.reject(new Error("asked again")))).toBe(0);
  expect(await readFile(storeBlobPath(root, wanted.digest))).toEqual(content);
});

test("workers that want the same blob fetch it once", async () => {
  let asked = 0;
  const give: Give = async (_, write) => {
    asked += 1;
    await write({ offset: 0, pour: pourFrom(slowly([content.subarray(0, 5), content.subarray(5)])) });
  };
  const received = await Promise.all(Array.from({ length: 5 }, () => ingest(root, wanted, give)));
  expect(asked).toBe(1);
  expect(received.sort()).toEqual([0, 0, 0, 0, content.length]);
  expect(await readdir(ingestDir(root))).toEqual([]);
});

test("a worker takes over from one that failed, and goes on where that stopped", async () => {
  const begun = Promise.withResolvers<void>();
  const first = ingest(root, wanted, (_, write) => {
    begun.resolve();
    return write({ offset: 0, pour: pourFrom(slowly([content.subarray(0, 8)])) });
  });
  first.catch(() => {});
  await begun.promise;
  const second = ingest(root, wanted, (offset, write) => write({ offset, pour: pourFrom([content.subarray(offset)]) }));
  await expect(first).rejects.toMatchObject({ code: "SIZE_MISMATCH" });
  await expect(second).resolves.toBe(content.length - 8);
});

test("a download that is broken off keeps what came", async () => {
  const stop = new AbortController();
  const give: Give = (_, write) => {
    async function* body() {
      yield content.subarray(0, 8);
      stop.abort(new Error("stopped"));
      yield content.subarray(8, 12);
    }
    return write({ offset: 0, pour: pourFrom(body()) });
  };
  await expect(ingest(root, wanted, give, { signal: stop.signal })).rejects.toThrow("stopped");
  expect(await readFile(partial())).toEqual(content.subarray(0, 8));
});

test("bytes whose size nobody told are taken by their digest alone", async () => {
  const { size: _, ...unsized } = wanted;
  expect(await ingest(root, unsized, (_, write) => write({ offset: 0, pour: pourFrom([content]) }))).toBe(
    content.length,
  );
  expect(await ingest(root, unsized, () => Promise.reject(new Error("asked again")))).toBe(0);
});

test("bytes that are in memory already are put in one piece, and leave nothing behind", async () => {
  expect(await putBlob(root, wanted, content)).toBe(true);
  expect(await putBlob(root, wanted, content)).toBe(false);
  const { mode, mtimeMs } = await stat(storeBlobPath(root, wanted.digest));
  expect([mode & 0o777, mtimeMs]).toEqual([0o444, BLOB_MTIME * 1000]);
  const other = { ...wanted, digest: digestOf("other") };
  await expect(putBlob(root, other, content)).rejects.toMatchObject({ code: "DIGEST_MISMATCH" });
  expect(await readdir(ingestDir(root))).toEqual([]);
});

test("an empty blob is a blob", async () => {
  const empty = { digest: digestOf(""), size: 0, ref: "empty" };
  await ingest(root, empty, (_, write) => write({ offset: 0, pour: pourFrom([]) }));
  expect(sizeOf(storeBlobPath(root, empty.digest))).toBe(0);
});

async function* slowly(chunks: Buffer[]) {
  for (const chunk of chunks) {
    await sleep(30);
    yield chunk;
  }
}
