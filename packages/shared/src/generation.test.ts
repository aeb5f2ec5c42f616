import { expect, test } from "vitest";
import { digestOf } from "./digest.ts";
import {
  formatDelta,
  formatGeneration,
  formatList,
  MAX_GENERATION_BYTES,
  parseGeneration,
  parseList,
  sha256Hex,
} from "./generation.ts";
import { createSigner, generateKey, isSignedBy, parseVerifier, signNote, verifierLine } from "./note.ts";
import { parsePlatform } from "./platform.ts";

const generation = {
  platform: parsePlatform("linux-amd64"),
  number: 12,
  time: "2026-11-22T02:00:00Z",
  files: 3,
  bytes: 12345,
  listSha256: sha256Hex("x"),
};

test("a GENERATION reads back as it was written, signed or not, and is small", () => {
  const text = formatGeneration(generation);
  const note = signNote(text, createSigner("registry.example.org", generateKey()));
  expect(parseGeneration(text)).toEqual(generation);
  expect(parseGeneration(note)).toEqual(generation);
  expect(note.length).toBeLessThan(MAX_GENERATION_BYTES);
});

test("a signature holds for its text, its key and its name alone", () => {
  const signer = createSigner("registry.example.org", generateKey());
  const note = signNote(formatGeneration(generation), signer);
  const verifier = parseVerifier(verifierLine(signer));
  expect(isSignedBy(note, verifier)).toBe(true);
  expect(isSignedBy(note.replace("number: 12", "number: 13"), verifier)).toBe(false);
  expect(isSignedBy(formatGeneration(generation), verifier)).toBe(false);
  const other = createSigner("registry.example.org", generateKey());
  expect(isSignedBy(note, parseVerifier(verifierLine(other)))).toBe(false);
});

test("the example key of the format's specification is read", () => {
  // https://c2sp.org/signed-note and golang.org/x/mod/sumdb/note use this key in their examples.
  const line = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
  expect(parseVerifier(line)).toMatchObject({ name: "PeterNeumann", keyHash: "c74f20a3" });
  const note =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n" +
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
  expect(isSignedBy(note, parseVerifier(line))).toBe(true);
});

test.each([
  ["", "does not begin"],
  [`${"x".repeat(2000)}`, "larger than"],
  [formatGeneration(generation).replace("12\n", "1e3\n"), "number is not a number"],
  [formatGeneration(generation).replace("linux-amd64", "../../x"), "platform is not one"],
  [formatGeneration(generation).replace("files: 3\n", ""), "has no files"],
])("a wrong GENERATION is refused", (text, message) => {
  expect(() => parseGeneration(text)).toThrow(message);
});

test("lists and deltas are lines of hex and size", () => {
  const entries = [{ digest: digestOf("a"), size: 1 }];
  expect(parseList(formatList(entries))).toEqual(entries);
  expect(formatDelta(entries, entries)).toBe(`+${digestOf("a").slice(7)} 1\n-${digestOf("a").slice(7)} 1\n`);
  expect(() => parseList("nonsense\n")).toThrow("list, line 1");
});
