import { expect, test } from "vitest";
import { parsePointer, parseTemplate } from "./template.ts";

test.each([
  ["", "body", []],
  ["/a/b", "body", ["a", "b"]],
  ["/a~1b/c~0d/", "body", ["a/b", "c~d", ""]],
  ["/a~01", "body", ["a~1"]],
  [".", "item", []],
  ["./nvr", "item", ["nvr"]],
] as const)("%j is a pointer", (text, from, tokens) => {
  expect(parsePointer(text)).toEqual({ from, tokens, text });
});

test.each(["a", "a/b", "..", "/a~", "/a~2"])("%j is no pointer", (text) => {
  expect(() => parsePointer(text)).toThrow("not a JSON pointer");
});

test("a template is text and values", () => {
  const { parts } = parseTemplate("fedora/{/msg/name}-{ ./nvr | lower }x");
  expect(parts).toEqual([
    "fedora/",
    { pointer: parsePointer("/msg/name") },
    "-",
    { pointer: parsePointer("./nvr"), filter: "lower" },
    "x",
  ]);
  expect(parseTemplate("plain").parts).toEqual(["plain"]);
});

test.each([
  ["{/a", "a brace without its other"],
  ["/a}", "a brace without its other"],
  ["{a}", "not a JSON pointer"],
  ["{/a|upper}", "unknown filter"],
])("%j is no template", (text, message) => {
  expect(() => parseTemplate(text)).toThrow(message);
});
