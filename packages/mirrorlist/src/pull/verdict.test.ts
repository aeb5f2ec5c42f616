import { expect, test } from "vitest";
import { judge, TAIL_BYTES } from "./verdict.ts";

const SIZE = 1000;
const OWN = Buffer.alloc(TAIL_BYTES, 7);
const WHOLE = { "content-length": "1000" };
const TAIL = { "content-range": "bytes 936-999/1000" };

test.each<[string, number, Record<string, string>, Buffer | undefined, unknown]>([
  ["the last bytes", 206, TAIL, OWN, { ok: true, hasRanges: true }],
  ["the whole, in place of a part", 200, WHOLE, undefined, { ok: true, hasRanges: false }],
  ["identity, which is no encoding", 206, { ...TAIL, "content-encoding": "identity" }, OWN, { ok: true }],
  ["an encoding", 206, { ...TAIL, "content-encoding": "gzip" }, OWN, { reason: "adds Content-Encoding: gzip" }],
  ["a shorter whole", 200, { "content-length": "999" }, undefined, { reason: "has 999 bytes of 1000" }],
  ["an unknown length", 200, {}, undefined, { reason: "has an unknown number of bytes of 1000" }],
  ["a longer file", 206, { "content-range": "bytes 936-999/2000" }, OWN, { reason: "has 2000 bytes of 1000" }],
  ["a file that ends before", 416, { "content-range": "bytes */500" }, undefined, { reason: "has 500 bytes of 1000" }],
  ["another part", 206, { "content-range": "bytes 0-63/1000" }, OWN, { reason: "answers with another range" }],
  ["a part without a range", 206, {}, OWN, { reason: "has an unknown number of bytes of 1000" }],
  ["less than it said", 206, TAIL, OWN.subarray(1), { reason: "breaks off" }],
  ["other bytes", 206, TAIL, Buffer.alloc(TAIL_BYTES), { reason: "has other bytes" }],
  ["a redirect", 302, {}, undefined, { reason: "answers 302 for the blob" }],
  ["nothing", 404, {}, undefined, { reason: "answers 404 for the blob" }],
])("%s", (_, status, headers, bytes, verdict) => {
  expect(judge({ status, headers, ...(bytes && { bytes }) }, SIZE, OWN)).toMatchObject(verdict as object);
});

test("without a tree of our own, what the bytes are is not judged", () => {
  const shown = { status: 206, headers: TAIL, bytes: Buffer.alloc(TAIL_BYTES) };
  expect(judge(shown, SIZE, undefined)).toEqual({ ok: true, hasRanges: true });
});

test("a blob that is smaller than what is asked for is seen whole", () => {
  const headers = { "content-range": "bytes 0-2/3" };
  expect(judge({ status: 206, headers, bytes: Buffer.from("abc") }, 3, Buffer.from("abc")).ok).toBe(true);
});
