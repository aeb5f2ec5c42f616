import { expect, test } from "vitest";
import { redirectOf } from "./redirect.ts";

const secure = new URL("https://registry.example.org/v2/a/blobs/x");
const plain = new URL("http://registry.example.org/v2/a/blobs/x");

test.each([
  [307, "https://cdn.example.org/x?sig=1", secure, "https://cdn.example.org/x?sig=1"],
  [302, "/elsewhere", secure, "https://registry.example.org/elsewhere"],
  [301, "//cdn.example.org/x", plain, "http://cdn.example.org/x"],
  [308, "https://cdn.example.org/x", plain, "https://cdn.example.org/x"],
  [303, "https://me:secret@cdn.example.org/x", secure, "https://cdn.example.org/x"],
])("%d to %j from %s leads to %j", (status, location, from, expected) => {
  expect(redirectOf(status, location, from).href).toBe(expected);
});

test.each([
  [307, "http://cdn.example.org/x", secure, "not without TLS"],
  [307, "ftp://cdn.example.org/x", plain, "not without TLS"],
  [307, "file:///etc/passwd", secure, "not without TLS"],
  [307, undefined, secure, "redirects to nowhere"],
])("%d to %j from %s is refused", (status, location, from, message) => {
  expect(() => redirectOf(status, location, from)).toThrow(message);
});
