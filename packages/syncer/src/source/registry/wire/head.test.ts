import { expect, test } from "vitest";
import { parseHead } from "./head.ts";

const head = (...lines: string[]) => parseHead(lines.join("\r\n"));

test("the head of a blob", () => {
  expect(head("HTTP/1.1 200 OK", "Content-Length: 12", "ETag:  x ", "Via: a", "via: b")).toEqual({
    statusCode: 200,
    headers: { "content-length": "12", etag: "x", via: ["a", "b"] },
    end: 12,
    isKept: true,
  });
});

test.each([
  [["HTTP/1.1 200 OK", "Transfer-Encoding: Chunked"], "chunked", true],
  [["HTTP/1.1 200 OK"], "close", false],
  [["HTTP/1.1 304 Not Modified", "Content-Length: 12"], 0, true],
  [["HTTP/1.1 204"], 0, true],
  [["HTTP/1.1 206 Partial Content", "Content-Length: 5", "Connection: Close"], 5, false],
  [["HTTP/1.0 200 OK", "Content-Length: 5"], 5, false],
])("%j has a body that ends: %s; kept: %s", (lines, end, isKept) => {
  expect(head(...lines)).toMatchObject({ end, isKept });
});

test.each([
  [["HTTP/2 200 OK"]],
  [["ICY 200 OK"]],
  [["HTTP/1.1 2OO OK"]],
  [[""]],
  [["HTTP/1.1 200 OK", "no colon"]],
  [["HTTP/1.1 200 OK", " folded: line"]],
  [["HTTP/1.1 200 OK", "space before : colon"]],
  [["HTTP/1.1 200 OK", "Content-Length: -1"]],
  [["HTTP/1.1 200 OK", "Content-Length: 0x10"]],
  [["HTTP/1.1 200 OK", "Content-Length: 5", "Content-Length: 6"]],
  [["HTTP/1.1 200 OK", "Content-Length: 5, 6"]],
  [["HTTP/1.1 200 OK", "Content-Length: 12345678901234567"]],
  [["HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Content-Length: 5"]],
  [["HTTP/1.1 200 OK", "Transfer-Encoding: gzip, chunked"]],
])("%j cannot be relied upon", (lines) => {
  expect(head(...lines)).toBeUndefined();
});

test("no header is taken for a property of objects", () => {
  expect(head("HTTP/1.1 204 No Content", "__proto__: x", "constructor: y")?.headers.constructor).toBe("y");
});

test("an answer to HEAD has no body, whatever it says", () => {
  expect(parseHead("HTTP/1.1 200 OK\r\nContent-Length: 12", "HEAD")).toMatchObject({ end: 0, isKept: true });
});
